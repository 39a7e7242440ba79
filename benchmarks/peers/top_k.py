"""faiss searches the same sizes exactly (IndexFlatIP)."""
import os
import sys

import faiss
import numpy as np

from turns import take_turns

rows, width, count, k = map(int, sys.argv[1:])
faiss.omp_set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
random = np.random.default_rng(0)
index = faiss.IndexFlatIP(width)
index.add(random.random((rows, width), dtype=np.float32) - 0.5)
queries = random.random((count, width), dtype=np.float32) - 0.5
take_turns({f"faiss {faiss.__version__}": lambda: index.search(queries, k)})
