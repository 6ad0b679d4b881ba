"""Report of a study: one self-contained HTML page with tables and figures of the saved measures."""

from recsys_ae.features.study.report.page import StudyReport, write_report

__all__ = ["StudyReport", "write_report"]
