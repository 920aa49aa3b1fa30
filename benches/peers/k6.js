// A WebSocket user for k6: sends on a schedule, or whenever an answer has come, and compares what comes.
import { check } from 'k6';
import { WebSocket } from 'k6/websockets';

const PAYLOAD = 'x'.repeat(64);
const RATE = Number(__ENV.WS_RATE);

export default function () {
  const socket = new WebSocket(__ENV.WS_URL);
  const send = () => socket.send(PAYLOAD);
  socket.addEventListener('open', () => {
    if (RATE) setInterval(send, 1000 / RATE);
    else send();
  });
  socket.addEventListener('message', (event) => {
    check(event.data, { 'is the echo': (data) => data === PAYLOAD });
    if (!RATE) send();
  });
}
