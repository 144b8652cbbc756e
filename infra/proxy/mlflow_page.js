// What MLflow's pages keep in the browser, as a first visit of a home should find it: its own defaults are an experiment
// of prompts and traces, a banner about usage data, and an assistant beside every page. What a person chose stays.
// The keys are those of MLflow 3.17 (mlflow/server/js): name and version, and JSON.
(() => {
  const first = {
    "mlflow.workflowType_v1": "machine_learning",
    "mlflow.settings.telemetry.enabled_v1": false,
    "mlflow.assistant.fab.autoOpenedOnFirstLoad_v1": true,
    "mlflow.telemetry.info.alert.dismissed_v1": true,
  };
  try {
    for (const [key, value] of Object.entries(first)) {
      if (localStorage.getItem(key) === null) localStorage.setItem(key, JSON.stringify(value));
    }
  } catch {
    // A browser that keeps nothing: the page opens with MLflow's defaults.
  }
})();
