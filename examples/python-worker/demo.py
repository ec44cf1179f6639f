"""Runs the example workflows on a worker in this process, prints the results of their steps, and ends."""
import os
import threading
import time

import handlers
from worker import Api, StepHandler, Worker

TASKS = [
    ("linear_workflow", {"order": 7}),
    ("data_processing", {"items": [{"id": 1, "raw_value": 10}, {"id": 2, "raw_value": 21}], "flaky": True}),
    ("conditional_approval", {"amount": 7000}),
    ("rows", {"rows": 450}),
]

api = Api(os.environ.get("TASKER_URL", "http://127.0.0.1:8080"), os.environ.get("TASKER_API_KEY"))
loaded = [one for one in vars(handlers).values() if isinstance(one, type) and issubclass(one, StepHandler) and one.handler_name]
worker = Worker(loaded, ["python"], api)
running = threading.Thread(target=worker.run)
running.start()
for name, context in TASKS:
    request = {"name": name, "namespace": "python", "context": context,
            "initiator": "demo", "source_system": "python", "reason": "to see it work"}
    uuid = api.call("POST", "tasks", request)["task_uuid"]
    while (task := api.call("GET", f"tasks/{uuid}"))["status"] not in ("complete", "blocked_by_failures"):
        time.sleep(0.1)
    print(f"{name}: {task['status']}")
    for step in api.call("GET", f"tasks/{uuid}/workflow_steps"):
        print(f"  {step['name']} (attempt {step['attempts']}): {step['results'] and step['results']['result']}")
worker.stop()
running.join()
