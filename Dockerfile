# Two images: `--target gateway` answers HTTP and has no torch in it, `--target worker` trains.

FROM python:3.12-slim AS base
ENV PYTHONUNBUFFERED=1 PIP_DISABLE_PIP_VERSION_CHECK=1 ANNEAL_HOME=/var/lib/anneal
# A new volume takes over the owner of the folder that it is mounted on.
RUN useradd --system --uid 10001 --create-home --home-dir /var/lib/anneal anneal
WORKDIR /src
COPY . .

FROM base AS gateway
RUN --mount=type=cache,target=/root/.cache/pip pip install --constraint constraints.txt .
USER anneal
WORKDIR /var/lib/anneal
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/readyz', timeout=4)"]
CMD ["python", "-m", "service"]

# For a smaller image without CUDA, build with `--build-arg PIP_EXTRA_INDEX_URL=` and an index of torch for the CPU.
FROM base AS worker
# What a network is compiled with.
RUN apt-get update && apt-get install --yes --no-install-recommends g++ && rm -rf /var/lib/apt/lists/*
ARG PIP_EXTRA_INDEX_URL
RUN --mount=type=cache,target=/root/.cache/pip pip install --constraint constraints.txt '.[worker]'
USER anneal
WORKDIR /var/lib/anneal
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s CMD ["python", "-m", "worker.health"]
CMD ["python", "-m", "worker"]
