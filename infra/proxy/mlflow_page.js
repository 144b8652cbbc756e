// What MLflow's pages keep in the browser, as a first visit of a home should find it: its own defaults are an experiment
// of prompts and traces, and a banner about usage data. What a person has chosen since stays.
// The keys are those of MLflow 3.17 (mlflow/server/js): name and version, and JSON.
(() => {
  const first = {
    "mlflow.workflowType_v1": "machine_learning",
    "mlflow.settings.telemetry.enabled_v1": false,
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
