"""Names of the files that commands write, in one place for who writes and who reads them."""

SCORES, FEATURES = "scores.parquet", "features.parquet"
PLAN, SENDS, CURVE, PORTFOLIOS, REASONS, EXPORT = (
    "plan.parquet",
    "sends.parquet",
    "curve.parquet",
    "portfolios.parquet",
    "reasons.parquet",
    "sends.csv",
)
MEASURE = "measure.json"
