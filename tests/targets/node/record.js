// Records what the official clients of protocols over WebSocket send, and what a server answered them, for
// tests/recorded_clients.rs. `node record.js` writes the files in ../recorded again: `open` is the request, `>` a frame of
// the client, `<` one of the server, which says what is written here.

const { once } = require('events');
const { writeFileSync } = require('fs');
const { join } = require('path');
const { setTimeout: pause } = require('timers/promises');
const { WebSocketServer, WebSocket } = require('ws');

const until = async (done) => {
  for (let turns = 0; !done(); turns += 1) {
    if (turns === 500) throw new Error(`never: ${done}`);
    await pause(10);
  }
};

const phoenix = {
  client: 'phoenix',
  answer([joined, ref, topic, event], say) {
    say([joined, ref, topic, 'phx_reply', { status: 'ok', response: {} }]);
    if (event === 'say') say([null, null, topic, 'said', { text: 'hi' }]);
  },
  async play(port) {
    const { Socket } = require('phoenix');
    const socket = new Socket(`ws://127.0.0.1:${port}/socket`, {
      transport: WebSocket, heartbeatIntervalMs: 1000,
    });
    const replied = (push) => new Promise((done) => { push.receive('ok', done); });
    socket.connect();
    const channel = socket.channel('room:lobby', { name: 'ann' });
    const heard = new Promise((done) => { channel.on('said', done); });
    await replied(channel.join());
    await replied(channel.push('say', { text: 'hi' }));
    await heard;
    await replied(channel.leave());
    await pause(1200); // the heartbeat
    socket.disconnect();
  },
};

const signalr = {
  client: '@microsoft/signalr',
  ends: '\u001e',
  answer({ protocol, type, target, invocationId }, say) {
    if (protocol) say({});
    if (type === 1 && invocationId) say({ type: 3, invocationId, result: 'joined' });
    if (target === 'say') say({ type: 1, target: 'said', arguments: ['hi'] });
    if (type === 4) {
      say({ type: 2, invocationId, item: 1 });
      say({ type: 3, invocationId });
    }
  },
  async play(port) {
    const { HubConnectionBuilder, HttpTransportType, LogLevel } = require('@microsoft/signalr');
    const hub = new HubConnectionBuilder()
      .withUrl(`http://127.0.0.1:${port}/hub`, {
        skipNegotiation: true, transport: HttpTransportType.WebSockets, WebSocket,
      })
      .configureLogging(LogLevel.None).build();
    hub.keepAliveIntervalInMilliseconds = 1000;
    const heard = new Promise((done) => { hub.on('said', done); });
    await hub.start();
    await hub.invoke('join', 'lobby', 7);
    await hub.send('say', 'hi');
    await heard;
    await new Promise((complete, error) => {
      hub.stream('count', 1).subscribe({ next() {}, complete, error });
    });
    await pause(1200); // the heartbeat
    await hub.stop();
  },
};

const centrifugo = {
  client: 'centrifuge',
  ends: '\n',
  answer(command, say) {
    const { id } = command;
    if (command.connect) say({ id, connect: { client: 'c', version: '6', ping: 25, pong: true } });
    if (command.subscribe) say({ id, subscribe: {} });
    if (command.publish) {
      say({ id, publish: {} });
      say({ push: { channel: 'news', pub: { data: { text: 'hi' } } } });
    }
    if (command.rpc) say({ id, rpc: { data: { ok: true } } });
    if (command.unsubscribe) {
      say({ id, unsubscribe: {} });
      say({}); // a ping
    }
  },
  async play(port, isAnswered) {
    const { Centrifuge } = require('centrifuge');
    const client = new Centrifuge(`ws://127.0.0.1:${port}/connection/websocket`, {
      websocket: WebSocket, token: 'secret',
    });
    const subscription = client.newSubscription('news');
    const heard = new Promise((done) => { subscription.on('publication', done); });
    client.connect();
    await client.ready();
    subscription.subscribe();
    await subscription.ready();
    await subscription.publish({ text: 'hi' });
    await heard;
    await client.rpc('ask', { what: 'all' });
    subscription.unsubscribe();
    await until(() => isAnswered('{}'));
    client.disconnect();
  },
};

const pusher = {
  client: 'pusher-js',
  greeting: {
    event: 'pusher:connection_established', data: '{"socket_id":"1.2","activity_timeout":120}',
  },
  answer({ event, data }, say) {
    if (event === 'pusher:subscribe') {
      say({ event: 'pusher_internal:subscription_succeeded', channel: data.channel, data: '{}' });
      say({ event: 'said', channel: data.channel, data: '{"text":"hi"}' });
    }
    if (event === 'pusher:unsubscribe') say({ event: 'pusher:ping', data: '{}' });
  },
  async play(port, isAnswered) {
    const Pusher = require('pusher-js');
    const client = new Pusher('key', {
      cluster: '', wsHost: '127.0.0.1', wsPort: port, forceTLS: false, enabledTransports: ['ws'],
    });
    const channel = client.subscribe('news');
    await new Promise((done) => { channel.bind('said', done); });
    client.unsubscribe('news');
    await until(() => isAnswered('pusher:pong'));
    client.disconnect();
  },
};

async function record(name, { client, ends = '', greeting, answer, play }) {
  const lines = [];
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
  await once(server, 'listening');
  server.on('connection', (socket, request) => {
    lines.push(`open ${request.url}`);
    const say = (message) => {
      const frame = JSON.stringify(message) + ends;
      lines.push(`< ${JSON.stringify(frame)}`);
      socket.send(frame);
    };
    if (greeting) say(greeting);
    socket.on('message', (data) => {
      lines.push(`> ${JSON.stringify(String(data))}`);
      const messages = ends ? String(data).split(ends).filter((text) => text) : [String(data)];
      messages.forEach((text) => answer(JSON.parse(text), say));
    });
  });
  const isAnswered = (text) => lines.some((line) => line.startsWith('>') && line.includes(text));
  await play(server.address().port, isAnswered);
  await pause(200); // what it says at its end
  server.clients.forEach((socket) => socket.terminate());
  server.close();
  const { version } = require(`./node_modules/${client}/package.json`);
  const head = `# What npm ${client} ${version} sends; written by tests/targets/node/record.js.`;
  const file = join(__dirname, '../recorded', `${name}.txt`);
  writeFileSync(file, [head, ...lines, ''].join('\n'));
}

(async () => {
  for (const [name, client] of Object.entries({ phoenix, signalr, centrifugo, pusher })) {
    await record(name, client);
  }
  process.exit();
})();
