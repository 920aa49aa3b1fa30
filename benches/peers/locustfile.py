"""A WebSocket user for Locust, which has none: sends, waits for the answer, and compares it."""

import os
import time

import websocket
from locust import User, constant, constant_throughput, task

PAYLOAD = "x" * 64
RATE = os.environ["WS_RATE"]


class Echo(User):
    """One connection. Without a rate, one message follows the answer to another."""

    wait_time = constant_throughput(float(RATE)) if RATE else constant(0)

    def on_start(self):
        self.socket = websocket.create_connection(os.environ["WS_URL"])

    def on_stop(self):
        self.socket.close()

    @task
    def echo(self):
        begun = time.perf_counter()
        self.socket.send(PAYLOAD)
        answer = self.socket.recv()
        self.environment.events.request.fire(
            request_type="WS",
            name="echo",
            response_time=(time.perf_counter() - begun) * 1000,
            response_length=len(answer),
            exception=None if answer == PAYLOAD else ValueError("another answer"),
        )
