"""The report of a study: tables and figures made of what is kept, on one page that needs nothing else."""

from recsys_ae.features.study.report.page import StudyReport, write_report

__all__ = ["StudyReport", "write_report"]
