"""A worker in Python for tasker-core that needs only the standard library. It speaks the protocol of
docs/guide/http-workers.md.

    python3 worker.py [MODULE]    # runs the handlers of a module (default: handlers) until SIGTERM

Environment: TASKER_URL (default http://127.0.0.1:8080), TASKER_API_KEY, TASKER_NAMESPACE (default "default"),
TASKER_SLOTS (default 10).
"""
import http.client
import importlib
import json
import os
import random
import signal
import socket
import sys
import threading
import time
import traceback
import urllib.parse
import uuid

PROTOCOL = 1
MOST_CLAIMS = 2**24 - 1


class ApiError(Exception):
    """A response that rejects the request. Sending the request again would not help."""

    def __init__(self, status, body):
        error = body.get("error", {})
        super().__init__(f"{status} {error.get('code')}: {error.get('message')}")
        self.code = error.get("code")


class Api:
    """Sends each request until the server responds. A repeated request gets the same response."""

    def __init__(self, url, key):
        self.url = urllib.parse.urlsplit(url)
        self.headers = {"content-type": "application/json", **({"x-api-key": key} if key else {})}
        self.local = threading.local()

    def send(self, method, path, body=None, timeout=40):
        connection = getattr(self.local, "connection", None)
        if connection is None:
            kind = http.client.HTTPSConnection if self.url.scheme == "https" else http.client.HTTPConnection
            connection = self.local.connection = kind(self.url.netloc, timeout=timeout)
        try:
            connection.request(method, f"/v1/{path}", None if body is None else json.dumps(body), self.headers)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read() or b"{}")
        except (OSError, http.client.HTTPException, ValueError):
            self.local.connection = None
            connection.close()
            raise

    def call(self, method, path, body=None, give_up=lambda: False):
        tries = 0
        while not give_up():
            try:
                status, answer = self.send(method, path, body)
            except (OSError, http.client.HTTPException, ValueError):
                status, answer = 503, {}
            if status < 400:
                return answer
            if status not in (408, 429) and status < 500:
                raise ApiError(status, answer)
            time.sleep(min(2, 0.05 * 2**tries) * random.random())
            tries += 1
        return None


class StepExecutionError(Exception):
    def __init__(self, message, error_type="handler_error", retryable=True, metadata=None):
        super().__init__(message)
        self.error_type, self.retryable, self.metadata = error_type, retryable, metadata or {}


class StepContext:
    """The input of a handler, and its checkpoints. `stopped` is set when the result is no longer needed."""

    def __init__(self, step, api):
        self.step, self.api, self.stopped, self.ended = step, api, threading.Event(), False
        self.task_uuid, self.step_uuid = step["task_uuid"], step["step_uuid"]
        self.input_data = step["task"]["context"]
        self.dependency_results = {name: one["result"] for name, one in step["dependency_results"].items()}
        self.step_config, self.step_inputs = step["step_config"], step["step_inputs"]
        self.retry_count, self.max_retries = step["retry_count"], step["max_retries"]
        self.checkpoint = step["checkpoint"]

    def get_dependency_result(self, name):
        return self.dependency_results.get(name)

    def save_checkpoint(self, cursor, items_processed=0, accumulated_results=None):
        self.checkpoint = {"cursor": cursor, "items_processed": items_processed, "accumulated_results": accumulated_results}
        body = {"fence": self.step["fence"], **self.checkpoint}
        self.api.call("POST", f"steps/{self.step_uuid}/checkpoint", body, self.stopped.is_set)


class StepHandler:
    """The base class of handlers. `call` returns `self.success(…)` or `self.failure(…)`, or raises."""

    handler_name = ""
    handler_version = "1.0.0"

    def call(self, context):
        raise NotImplementedError

    def success(self, result=None, metadata=None):
        return {"action": "complete", "result": result or {}, "metadata": metadata or {}}

    def failure(self, message, error_type="handler_error", retryable=True, metadata=None):
        failure = {"message": str(message) or "unknown error", "error_type": error_type, "retryable": retryable}
        return {"action": "fail", **failure, "metadata": metadata or {}}


class DecisionPointOutcome:
    @staticmethod
    def create_steps(step_names, routing_context=None):
        return {"type": "create_steps", "step_names": step_names, "routing_context": routing_context or {}}

    @staticmethod
    def no_branches(reason=None):
        return {"type": "no_branches", "reason": reason}


class DecisionHandler(StepHandler):
    def decision_success(self, outcome):
        return self.success({"decision_point_outcome": outcome})

    decision_no_branches = decision_success


class Batchable:
    def create_cursor_ranges(self, total_items, batch_size, max_batches=None):
        if max_batches:
            batch_size = max(batch_size, -(-total_items // max_batches))
        starts = range(0, total_items, batch_size)
        ranges = [(start, min(start + batch_size, total_items)) for start in starts]
        return [{"batch_id": f"batch_{i:03}", "start_cursor": start, "end_cursor": end, "batch_size": end - start}
                for i, (start, end) in enumerate(ranges, 1)]

    def batch_analyzer_success(self, cursor_configs, total_items, worker_template_name=None, batch_metadata=None):
        outcome = {"type": "create_batches", "worker_template_name": worker_template_name, "total_items": total_items,
                   "worker_count": len(cursor_configs), "cursor_configs": cursor_configs}
        outcome = outcome if cursor_configs else {"type": "no_batches"}
        return self.success({"batch_processing_outcome": outcome, "batch_metadata": batch_metadata or {}})

    def batch_worker_success(self, items_processed, items_succeeded=0, items_failed=0, results=None, last_cursor=None, metadata=None):
        return self.success({"items_processed": items_processed, "items_succeeded": items_succeeded,
                             "items_failed": items_failed, "results": results, "last_cursor": last_cursor}, metadata)


class Worker:
    """Claims steps, runs each in a thread, and reports their outcomes, many in one request."""

    def __init__(self, handlers, namespaces, api, slots=10):
        self.handlers = {handler.handler_name: handler for handler in handlers}
        self.api, self.slots, self.namespaces = api, slots, namespaces
        self.held, self.changed = {}, threading.Condition()  # by step and fence
        self.hung = set()  # stopped steps whose handlers still run, each in its slot
        self.reports, self.stopping, self.lost = [], False, False

    def register(self):
        name = f"python-{socket.gethostname()}-{os.getpid()}"
        body = {"protocol": PROTOCOL, "name": name, "instance": str(uuid.uuid4()), "namespaces": self.namespaces,
                "handlers": list(self.handlers), "slots": self.slots, "host": socket.gethostname(), "pid": os.getpid()}
        answer = self.api.call("POST", "workers", body, lambda: self.stopping)
        if answer:
            self.id, self.beat_s, self.request, self.lost = answer["worker_id"], answer["heartbeat_ms"] / 1000, 0, False

    def run(self):
        self.register()
        if self.stopping:
            return
        for target in (self.beat, self.report):
            threading.Thread(target=target, daemon=True).start()
        while not self.stopping:
            with self.changed:
                self.changed.wait_for(lambda: self.free() > 0 or self.stopping or self.lost)
                free = self.free()
            if self.lost or self.request == MOST_CLAIMS:
                self.drop(list(self.held))
                self.register()
            elif not self.stopping:
                self.claim(free)
        with self.changed:  # the running steps end first
            self.changed.wait_for(lambda: not self.held)
        end = time.monotonic() + 5  # without a response, the lease expires
        try:
            self.api.call("POST", f"workers/{self.id}/heartbeat", {"steps": [], "phase": "stopped"}, lambda: time.monotonic() > end)
        except ApiError as error:
            print(f"could not sign off: {error}", file=sys.stderr)

    def free(self):
        return self.slots - len(self.held) - len(self.hung)

    def claim(self, free):
        self.request += 1
        body = {"worker_id": self.id, "request_id": self.request, "slots": free, "wait_ms": 2000}
        try:
            answer = self.api.call("POST", "steps/claim", body, lambda: self.lost)
        except ApiError as error:
            return self.failed(error)
        steps = answer["steps"] if answer else []
        with self.changed:
            contexts = [StepContext(step, self.api) for step in steps]
            self.held.update({(one.step_uuid, one.step["fence"]): one for one in contexts})
        for context in contexts:
            threading.Thread(target=self.work, args=(context,), daemon=True).start()
        if answer and answer["drain"]:
            time.sleep(1)

    def failed(self, error):
        if error.code != "WORKER_LOST":
            raise error
        self.lost = True
        with self.changed:
            self.changed.notify_all()

    def work(self, context):
        handler = self.handlers[context.step["handler"]["callable"]]()
        started = time.monotonic()
        try:
            outcome = handler.call(context)
            json.dumps(outcome, allow_nan=False)
        except Exception as error:  # noqa: BLE001 - whatever a handler raises fails its attempt
            kind, retryable = getattr(error, "error_type", "handler_error"), getattr(error, "retryable", True)
            outcome = handler.failure(error, kind, retryable, getattr(error, "metadata", None))
            outcome["backtrace"] = traceback.format_exc().splitlines()[-50:]
        key = {"step_uuid": context.step_uuid, "fence": context.step["fence"], "handler_version": handler.handler_version}
        with self.changed:
            context.ended = True
            self.hung.discard(context)
            self.changed.notify_all()
            if not context.stopped.is_set():
                self.reports.append({**outcome, **key, "duration_ms": round((time.monotonic() - started) * 1000)})

    def report(self):
        while True:
            with self.changed:
                self.changed.wait_for(lambda: self.reports)
                batch, self.reports = self.reports[:500], self.reports[500:]
            self.send(batch)

    def send(self, batch):
        try:
            self.api.call("POST", "steps/batch", {"steps": batch})
        except ApiError as error:  # the server cannot read one of them
            if len(batch) > 1:
                for one in batch:
                    self.send([one])
                return
            if batch[0]["action"] == "complete":
                key = {name: batch[0][name] for name in ("step_uuid", "fence")}
                return self.send([{"action": "fail", **key, "message": f"cannot be reported: {error}", "retryable": False}])
        self.drop([(one["step_uuid"], one["fence"]) for one in batch])

    def drop(self, keys):
        with self.changed:
            for key in keys:
                context = self.held.pop(key, None)
                if context:
                    context.stopped.set()
                    if not context.ended:
                        self.hung.add(context)
            self.changed.notify_all()

    def beat(self):
        while True:
            time.sleep(self.beat_s)
            with self.changed:
                steps = [{"step_uuid": step, "fence": fence} for step, fence in self.held]
                hung = len(self.hung)
            phase, worker = "draining" if self.stopping else "running", self.id
            try:
                answer = self.api.call("POST", f"workers/{worker}/heartbeat", {"steps": steps, "hung": hung, "phase": phase})
                self.drop([(one["step_uuid"], one["fence"]) for one in answer["stop"]])
            except ApiError as error:
                if worker == self.id:
                    self.failed(error)

    def stop(self, *_):
        if self.stopping:  # the second signal
            os._exit(1)
        self.stopping = True


def main(module):
    loaded = importlib.import_module(module)
    handlers = [one for one in vars(loaded).values() if isinstance(one, type) and issubclass(one, StepHandler) and one.handler_name]
    api = Api(os.environ.get("TASKER_URL", "http://127.0.0.1:8080"), os.environ.get("TASKER_API_KEY"))
    namespaces = os.environ.get("TASKER_NAMESPACE", "default").split(",")
    worker = Worker(handlers, namespaces, api, int(os.environ.get("TASKER_SLOTS", "10")))
    signal.signal(signal.SIGTERM, worker.stop)
    signal.signal(signal.SIGINT, worker.stop)
    worker.run()


if __name__ == "__main__":
    sys.modules["worker"] = sys.modules[__name__]  # handlers import this module by its name
    main(sys.argv[1] if len(sys.argv) > 1 else "handlers")
