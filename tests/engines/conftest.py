from __future__ import annotations

import os

# One thread, bound to no core: models this small gain nothing from more, and waiting threads spin.
os.environ.setdefault("VLLM_CPU_OMP_THREADS_BIND", "nobind")
os.environ.setdefault("OMP_NUM_THREADS", "1")
