"""Builds engines: configuration, profiles, the plan file and its sidecar."""

from trtnet.builder.build import build_plan, describe
from trtnet.builder.config import BuildConfig
from trtnet.builder.plan import Plan, PlanInfo
from trtnet.builder.profiles import DimRange, Dims

__all__ = ["BuildConfig", "DimRange", "Dims", "Plan", "PlanInfo", "build_plan", "describe"]
