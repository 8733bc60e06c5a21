# A server for one exported model: no torch, no compiler, not root, nothing to write to.
#
#   shortcut export runs/cats --to openvino --output exports/cats
#   docker build --build-arg MODEL=exports/cats --tag cats .
#   docker run --rm --publish 8000:8000 --read-only --tmpfs /tmp --cap-drop ALL --memory 2g \
#     --env SHORTCUT_TOKEN="$(cat token.txt)" cats
FROM python:3.11-slim

WORKDIR /app
COPY constraints.txt pyproject.toml README.md LICENSE ./
COPY src src
# Of what shortcut needs only that with which an exported model answers: torch alone is 5 GB.
RUN pip install --no-cache-dir --constraint constraints.txt \
      numpy onnxruntime openvino pillow prometheus-client pydantic python-multipart rich starlette \
      typer uvicorn \
 && PIP_CONSTRAINT=constraints.txt pip install --no-cache-dir --no-deps . \
 && useradd --uid 10001 --no-create-home shortcut

ARG MODEL
COPY ${MODEL} /model

USER 10001
# Which engine is the fastest is measured at every start: there is nowhere to remember it.
ENV SHORTCUT_CACHE=/tmp/shortcut PYTHONDONTWRITEBYTECODE=1
EXPOSE 8000
HEALTHCHECK CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/readyz')"]
ENTRYPOINT ["shortcut", "serve", "/model", "--host", "0.0.0.0"]
