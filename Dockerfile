# latentloop with its weights, for the CPU or for CUDA.
#
#   docker build -t latentloop .
#   docker build -t latentloop:cuda --build-arg TORCH_BACKEND=cu130 .
#
# Photos and results are in the folder that is mounted on /photos; --user makes the results yours.
#
#   docker run --rm --user "$(id -u):$(id -g)" -v "$PWD:/photos" latentloop embed photo.jpg
#   docker run --rm --gpus all -v "$PWD:/photos" latentloop:cuda edit photo.jpg --set smile=1
#
# The studio, for this machine's browser alone, at http://127.0.0.1:7860:
#
#   docker run --rm -p 127.0.0.1:7860:7860 latentloop studio --host 0.0.0.0 --port 7860 --no-browser
#
# Until the project's first hosted run, its own CI has not built this image yet.
ARG PYTHON=3.12

# The page of `latentloop export web`.
FROM node:22-slim AS page
COPY . /source
WORKDIR /source/web
RUN npm ci --no-audit --no-fund && npm run build

FROM python:${PYTHON}-slim AS build
RUN pip install --no-cache-dir build==1.6.1
COPY --from=page /source /source
RUN python -m build --wheel --outdir /wheels /source

FROM python:${PYTHON}-slim
# Where uv finds PyTorch: cpu, or a release of CUDA, such as cu130.
ARG TORCH_BACKEND=cpu
ARG TORCH=2.13.0
# PyTorch in a layer of its own: another latentloop does not fetch it again.
RUN useradd --uid 1000 --create-home latentloop \
    && pip install --no-cache-dir uv==0.13.9 \
    && uv pip install --system --no-cache --torch-backend "${TORCH_BACKEND}" "torch==${TORCH}"
ARG EXTRAS=edit,web,hub
RUN --mount=type=bind,from=build,source=/wheels,target=/wheels \
    uv pip install --system --no-cache --torch-backend "${TORCH_BACKEND}" \
        "torch==${TORCH}" "$(ls /wheels/latentloop-*.whl)[${EXTRAS}]"
USER 1000:1000
# A user with another number (--user) has no home here.
ENV HOME=/tmp MPLCONFIGDIR=/tmp/matplotlib PYTHONUNBUFFERED=1
WORKDIR /photos
EXPOSE 7860
ENTRYPOINT ["latentloop"]
CMD ["--help"]
