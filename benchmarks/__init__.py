"""What the package can do, measured against rivals on the same rows in the same run; results and README are generated.

Run one with ``python -m benchmarks.NAME --data DIR [--quick]``; the data are the user's own copies of public logs.
"""
