"""An echo server of flask-sock, in the server of Werkzeug. PORT: where to listen, 0 for a free one. Keeps no counts."""

import os

from flask import Flask
from flask_sock import Sock
from werkzeug.serving import make_server

app = Flask(__name__)
sock = Sock(app)


@sock.route("/")
def echo(client):
    while True:
        client.send(client.receive())


server = make_server("127.0.0.1", int(os.environ.get("PORT", "3000")), app, threaded=True)
print(f"listening on ws://127.0.0.1:{server.port}", flush=True)
server.serve_forever()
