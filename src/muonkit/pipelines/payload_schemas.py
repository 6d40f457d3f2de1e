"""The schemas of payloads that muonkit knows, each with the reader that checks a content: the one list of them.

A reader is loaded when it is first used, so that `muonkit conditions list` does not wait for all of them."""

from pkgutil import resolve_name

from muonkit.conditions.contents import Contents, Reader


def _late(place: str) -> Reader:
    def read(content: bytes, name: str) -> object:
        reader: Reader = resolve_name(f"muonkit.{place}")
        return reader(content, name)

    return read


PAYLOAD_SCHEMAS = Contents({
    "KLMLikelihoodParameters/1": _late("muid.likelihood.payload:LikelihoodParameters.from_bytes"),
    "KLMChannelStatus/1": _late("detector.channels:read_status"),
    "KLMStripEfficiency/1": _late("detector.channels:read_efficiency"),
    "MuonClassifier/2": _late("muid.classifier.model:Classifier.from_bytes"),
    "MuonIDCuts/1": _late("muid.performance.cuts_file:read_cuts"),
    "MuonCorrections/1": _late("calibration.export:read_payload"),
    "MuonCalibration/1": _late("calibration.result:CalibrationResult.from_bytes"),
    "CorrectionSet/2": _late("io.corrections:read_payload"),
    "Detector/1": _late("detector.detector:read_description"),
})  # fmt: skip
