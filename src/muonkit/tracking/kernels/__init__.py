"""The compiled twins of the Kalman filter and of the search for the surfaces of a track."""
