"""The handlers that scripts/conformance needs."""
from worker import StepExecutionError, StepHandler


class Echo(StepHandler):
    handler_name = "conformance.echo"

    def call(self, context):
        return self.success(context.input_data)


class Sum(StepHandler):
    handler_name = "conformance.sum"

    def call(self, context):
        return self.success({"sum": sum(context.get_dependency_result("echo")["numbers"])})


class Retry(StepHandler):
    handler_name = "conformance.retry"

    def call(self, context):
        if context.retry_count == 0:
            return self.failure("not yet", retryable=True)
        return self.success({"attempt": context.retry_count + 1})


class Permanent(StepHandler):
    handler_name = "conformance.permanent"

    def call(self, context):
        raise StepExecutionError("never", error_type="conformance_error", retryable=False)


class Slow(StepHandler):
    handler_name = "conformance.slow"

    def call(self, context):
        context.stopped.wait(context.input_data["seconds"])
        return self.success()


class Resume(StepHandler):
    handler_name = "conformance.resume"

    def call(self, context):
        start = (context.checkpoint or {}).get("cursor", 0)
        for done in range(start + 1, 7):
            context.save_checkpoint(done, items_processed=done)
            if start == 0 and done == 3:
                raise StepExecutionError("half way")
        return self.success({"resumed_from": start, "done": 6})
