"""Steps that `evaluate`, `compare`, `report` and `tune` share: what is measured, on whom, and how it is shown."""
