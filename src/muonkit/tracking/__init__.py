"""From hits to tracks: a start (`seed`), the Kalman filter (`kalman`, in NumPy) and the fit (`fit`)."""
