"""The same exported model behind a plain FastAPI handler, as tutorials write it: PORT MODEL."""

import sys

import uvicorn
from fastapi import FastAPI, Request

import shortcut

model = shortcut.load_exported(sys.argv[2])
app = FastAPI()


def answer(body: bytes) -> dict[str, object]:
    found = model.predict(body)
    return {"label": found.label, "score": found.score}


@app.post("/predict")
async def predict(request: Request) -> dict[str, object]:
    from starlette.concurrency import run_in_threadpool

    return await run_in_threadpool(answer, await request.body())


uvicorn.run(app, port=int(sys.argv[1]), log_level="error")
