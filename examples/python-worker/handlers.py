"""The handlers of the three example workflows, and of one with batches."""
from datetime import datetime

from worker import Batchable, DecisionHandler, DecisionPointOutcome, StepExecutionError, StepHandler


class LinearStep1Handler(StepHandler):
    handler_name = "linear_step_1"

    def call(self, context):
        return self.success(result={
            "step1_processed": True,
            "input_received": context.input_data,
            "processed_at": datetime.now().isoformat(),
        })


class LinearStep2Handler(StepHandler):
    handler_name = "linear_step_2"

    def call(self, context):
        first = context.get_dependency_result("linear_step_1")
        return self.success(result={"step2_processed": True, "order": first["input_received"]["order"]})


class FetchDataHandler(StepHandler):
    handler_name = "fetch_data"

    def call(self, context):
        if not context.input_data.get("items"):
            raise StepExecutionError("no items", error_type="validation_error", retryable=False)
        if context.retry_count == 0 and context.input_data.get("flaky"):
            raise StepExecutionError("connection timeout", error_type="network_error", retryable=True)
        return self.success(result={"items": context.input_data["items"]})


class TransformDataHandler(StepHandler):
    handler_name = "transform_data"

    def call(self, context):
        raw_data = context.dependency_results.get("fetch_data", {})
        transformed = [{"id": item["id"], "value": item["raw_value"] * 2} for item in raw_data.get("items", [])]
        return self.success(result={"items": transformed, "count": len(transformed)})


class ApprovalRouterHandler(DecisionHandler):
    handler_name = "approval_router"

    THRESHOLDS = {"auto": 1000, "manager": 5000}

    def call(self, context):
        amount = context.input_data.get("amount", 0)
        if amount < self.THRESHOLDS["auto"]:
            outcome = DecisionPointOutcome.create_steps(["auto_approve"])
        elif amount < self.THRESHOLDS["manager"]:
            outcome = DecisionPointOutcome.create_steps(["manager_approval"])
        else:
            outcome = DecisionPointOutcome.create_steps(["manager_approval", "finance_review"])
        return self.decision_success(outcome)


class ApproveHandler(StepHandler):
    handler_name = "approve"

    def call(self, context):
        return self.success(result={"approved_by": context.step["name"]})


class RowsAnalyzerHandler(StepHandler, Batchable):
    handler_name = "rows_analyzer"

    def call(self, context):
        rows = context.input_data["rows"]
        ranges = self.create_cursor_ranges(total_items=rows, batch_size=100, max_batches=5)
        return self.batch_analyzer_success(cursor_configs=ranges, total_items=rows, worker_template_name="process_rows")


class RowsProcessorHandler(StepHandler, Batchable):
    handler_name = "rows_processor"

    def call(self, context):
        if context.step_inputs.get("is_no_op"):
            return self.batch_worker_success(items_processed=0)
        cursor = context.step_inputs["cursor"]
        start, end = cursor["start_cursor"], cursor["end_cursor"]
        for position in range((context.checkpoint or {}).get("cursor", start), end, 50):
            context.save_checkpoint(min(position + 50, end), items_processed=min(position + 50, end) - start)
        return self.batch_worker_success(items_processed=end - start, items_succeeded=end - start, last_cursor=end)


class RowsAggregatorHandler(StepHandler):
    handler_name = "rows_aggregator"

    def call(self, context):
        workers = [one for name, one in context.dependency_results.items() if name.startswith("process_rows_")]
        return self.success(result={"workers": len(workers), "rows": sum(one["items_processed"] for one in workers)})
