// The page to try a WebSocket server by hand: what it shows, and what its forms do. The connection is in link.js.
import { bytesOf, fromHex, hex, isText } from './data.js';
import { Link } from './link.js';
import { scenario } from './scenario.js';

/** The most events that the log has, and the most bytes of messages in it; and how many of them are shown. */
const MAX_EVENTS = 1000;
const MAX_BYTES = 4 << 20;
const SHOWN = 300;
/** The longest part of a message that a row shows, in characters. */
const MAX_SHOWN = 400;
/** How many echo times the tile looks at. */
const ECHOES = 60;
/** Repeating pauses while so many bytes wait to be sent. */
const MAX_BUFFERED = 1 << 20;
/** What each readyState is called, how the head looks then, and its symbol. */
const STATES = [
  { word: 'CONNECTING', look: 'doubt', symbol: '◌' },
  { word: 'OPEN', look: 'good', symbol: '●' },
  { word: 'CLOSING', look: 'doubt', symbol: '◍' },
  { word: 'CLOSED', look: 'shut', symbol: '○' },
];
/** What a close code means that no peer sends in words (RFC 6455 section 7.4.1). */
const CODES = {
  1000: 'normal', 1001: 'going away', 1002: 'protocol error', 1003: 'unsupported data', 1005: 'no code', 1006: 'no Close frame',
  1007: 'not UTF-8', 1008: 'policy', 1009: 'too big', 1010: 'extension missing', 1011: 'server error', 1012: 'service restart',
  1013: 'try again later', 1015: 'TLS failed',
};

const $ = id => document.getElementById(id);
const log = { events: [], bytes: 0, dropped: 0, open: null, droppedSince: 0 };
const totals = { sent: [0, 0], received: [0, 0] };
let echoes = [];
let beating = { last: undefined, missed: 0 };
let fresh = [];
let isDrawn = false;

const link = new Link(event => take(event));

// ---- What happens ----

const sizeOf = ({ data }) => data === undefined ? 0 : isText(data) ? bytesOf(data).length : data.length;

/** Takes an event of the connection: into the log, and into what the tiles show. */
const take = event => {
  event.size = sizeOf(event);
  if (event.kind === 'sent' || event.kind === 'received') {
    const total = totals[event.kind];
    total[0] += 1;
    total[1] += event.size;
  }
  if (event.echo !== undefined && event.kind === 'received') {
    if (event.beat) beating.last = event.echo;
    else echoes = [...echoes.slice(1 - ECHOES), event.echo];
  }
  if (event.kind === 'silent') beating.missed += 1;
  if (event.kind === 'received') tellTime(event);
  if (event.kind === 'open') Object.assign(log, { open: event, droppedSince: 0 });
  log.events.push(event);
  log.bytes += event.size;
  while (log.events.length > MAX_EVENTS || (log.bytes > MAX_BYTES && log.events.length > 1)) {
    const gone = log.events.shift();
    log.bytes -= gone.size;
    log.dropped += 1;
    if (log.open && gone.at > log.open.at) log.droppedSince += 1;
  }
  fresh.push(event);
  if (event.kind === 'closed' || event.kind === 'silent') stopRepeating();
  draw();
};

/** Shows a time of day that the server tells: as in RFC 3339, or as `toTimeString` writes it. */
const tellTime = ({ at, data }) => {
  if (!isText(data) || data.length > 80) return;
  if (/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/.test(data)) {
    const apart = at - Date.parse(data);
    $('time').textContent = data.slice(11, 19);
    $('apart').textContent = `came ${time(Math.abs(apart))} ${apart < 0 ? 'before: clocks differ' : 'later'}`;
  } else if (/^\d\d:\d\d:\d\d GMT[+-]\d{4}/.test(data)) {
    $('time').textContent = data.slice(0, 8);
    $('apart').textContent = data.slice(9, 17);
  }
};

// ---- What is shown ----

const number = value => value.toLocaleString('en');
const time = ms => ms >= 10_000 ? `${(ms / 1000).toFixed(1)} s` : ms >= 1000 ? `${(ms / 1000).toFixed(2)} s`
  : ms >= 100 ? `${ms.toFixed(0)} ms` : ms >= 10 ? `${ms.toFixed(1)} ms` : `${ms.toFixed(2)} ms`;
const size = bytes => bytes < 1024 ? `${bytes} B` : bytes < 1 << 20 ? `${(bytes / 1024).toFixed(1)} KiB` : `${(bytes / (1 << 20)).toFixed(1)} MiB`;
const clock = at => {
  const date = new Date(at);
  const two = value => String(value).padStart(2, '0');
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${String(date.getMilliseconds()).padStart(3, '0')}`;
};
const code = event => `${event.code}${CODES[event.code] ? ` (${CODES[event.code]})` : ''}`;

/** An event as a row: its look, its symbol, and its words. */
const row = event => {
  const data = () => {
    const text = isText(event.data) ? event.data : hex(event.data.subarray(0, MAX_SHOWN / 4));
    const kind = isText(event.data) ? '' : `${event.size} bytes: `;
    return kind + (text.length > MAX_SHOWN || (!isText(event.data) && event.size > MAX_SHOWN / 4) ? `${text.slice(0, MAX_SHOWN)}… (${size(event.size)})` : text);
  };
  switch (event.kind) {
    case 'dial': return ['', '◌', `dials ${event.url}${event.protocols.length ? `, offers ${event.protocols.join(', ')}` : ''}`];
    case 'state': return ['', event.state, `readyState ${event.state}, ${STATES[event.state].word}`];
    case 'open': return ['good', '✓', `open${event.protocol ? `, speaks ${event.protocol}` : ''}${event.extensions ? `, with ${event.extensions}` : ''}`];
    case 'sent': return [event.beat ? 'sent beat' : 'sent', event.beat ? '♥' : '→', data()];
    case 'received': return [event.beat ? 'received beat' : 'received', event.beat ? '♥' : '←', data()];
    case 'closing': return ['', '–', event.code === undefined ? 'closes without a code' : `closes with ${code(event)}${event.reason ? `: ${event.reason}` : ''}`];
    case 'closed': return event.opened
      ? [event.clean ? '' : 'bad', '×', `closed with ${code(event)}${event.reason ? `: ${event.reason}` : ''}${event.clean ? '' : ', not cleanly'}`]
      : ['bad', '×', 'did not open: nobody listens there, or the server refused'];
    case 'silent': return ['bad', '!', `nothing came for ${time(event.silent)}: given up`];
    case 'again': return ['doubt', '↻', `dials again in ${time(event.wait)}`];
    default: return ['', '', event.kind];
  }
};

/** Shows what is new, once for each picture that the browser makes. */
const draw = () => {
  if (isDrawn) return;
  isDrawn = true;
  requestAnimationFrame(() => {
    isDrawn = false;
    const rows = fresh.slice(-SHOWN).map(event => {
      const [look, symbol, words] = row(event);
      const tr = document.createElement('tr');
      tr.className = look;
      const cells = [clock(event.at), symbol, words, event.kind === 'received' && event.echo !== undefined ? time(event.echo) : ''];
      for (const text of cells) tr.insertCell().textContent = text;
      return tr;
    });
    fresh = [];
    $('log').prepend(...rows.reverse());
    while ($('log').rows.length > SHOWN) $('log').deleteRow(-1);
    const { length } = log.events;
    const more = log.dropped ? `, ${number(log.dropped)} older ones dropped` : '';
    $('log-size').textContent = length ? `newest first; ${number(length)} events${more}` : 'newest first';
    showTiles();
    showState();
  });
};

const showTiles = () => {
  for (const kind of ['sent', 'received']) {
    $(kind).textContent = number(totals[kind][0]);
    $(`${kind}-bytes`).textContent = size(totals[kind][1]);
  }
  if (link.buffered) $('sent-bytes').textContent += `, ${size(link.buffered)} wait`;
  const sorted = echoes.toSorted((a, b) => a - b);
  $('echo').textContent = echoes.length ? time(echoes.at(-1)) : '–';
  $('echoes').textContent = echoes.length ? `p50 ${time(sorted[Math.floor(sorted.length / 2)])} · max ${time(sorted.at(-1))}` : 'of what comes back as it was sent';
  const top = sorted.at(-1) || 1;
  const points = echoes.map((ms, at) => `${(200 * (at + ECHOES - echoes.length) / (ECHOES - 1)).toFixed(1)} ${(27 - 24 * ms / top).toFixed(1)}`);
  $('spark').firstElementChild.setAttribute('d', points.length > 1 ? `M${points.join('L')}` : '');
  const { last, missed } = beating;
  $('beat').textContent = !$('beating').checked ? 'off' : last === undefined ? '–' : time(last);
  $('beats').textContent = missed ? `silent ${number(missed)} ${missed === 1 ? 'time' : 'times'}` : 'notices a silent server';
};

const showState = () => {
  const state = link.readyState;
  const { word, look, symbol } = STATES[state];
  const last = log.events.at(-1);
  const isLost = state === 3 && log.events.findLast(event => event.kind === 'closed' || event.kind === 'silent');
  const isBad = isLost && (isLost.kind === 'silent' || !isLost.clean);
  $('head').className = isBad ? 'bad' : look;
  $('word').textContent = word;
  $('symbol').textContent = symbol;
  [...$('states').children].forEach((item, at) => {
    item.classList.toggle('now', at === state);
    if (at === state) item.setAttribute('aria-current', 'step');
    else item.removeAttribute('aria-current');
  });
  const told = log.events.findLast(event => event.kind !== 'state' && event.kind !== 'sent' && event.kind !== 'received');
  if (told) $('about').textContent = state === 1 ? `to ${log.open.url}, since ${clock(log.open.at).slice(0, 8)}` : row(told)[2];
  const isBusy = state !== 3 || link.isComing;
  $('connect').textContent = ['Stop', 'Disconnect', 'Closing…', link.isComing ? 'Stop' : 'Connect'][state];
  $('connect').className = isBusy ? '' : 'main';
  $('connect').disabled = state === 2;
  $('url').readOnly = $('protocols').readOnly = isBusy;
  for (const id of ['once', 'repeat']) $(id).disabled = state !== 1;
  $('close').disabled = state === 3 || state === 2;
  $('as-scenario').disabled = !log.open;
  $('copy-log').disabled = $('clear').disabled = !last;
};

// ---- What the forms do ----

/** Does something that may be refused, and says why it was. */
const attempt = call => {
  $('problem').textContent = '';
  try {
    call();
  } catch (error) {
    $('problem').textContent = error.message;
  }
};
const on = (id, kind, call) => $(id).addEventListener(kind, event => {
  event.preventDefault();
  attempt(call);
});

on('dial', 'submit', () => {
  if (link.readyState !== 3 || link.isComing) {
    link.close();
    return draw();
  }
  const protocols = $('protocols').value.split(',').map(name => name.trim()).filter(Boolean);
  const written = $('url').value.trim();
  link.connect(/^[a-z]+:\/\//i.test(written) ? written.replace(/^http/i, 'ws') : `ws://${written}`, protocols);
});

const message = () => {
  if (document.querySelector('[name=kind]:checked').value === 'text') return $('message').value;
  const bytes = fromHex($('message').value);
  if (!bytes) throw new Error('Binary messages are written as pairs of hex digits, such as 00 ff.');
  return bytes;
};
on('send', 'submit', () => link.send(message()));

let repeating = null;
const stopRepeating = () => {
  clearTimeout(repeating);
  repeating = null;
  $('repeat').setAttribute('aria-pressed', 'false');
};
on('repeat', 'click', () => {
  if (repeating !== null) return stopRepeating();
  message();
  const begun = performance.now();
  let sent = 0;
  const go = () => {
    const gap = 1000 / Math.min(1000, Math.max(0.1, $('rate').valueAsNumber || 1));
    const due = Math.floor((performance.now() - begun) / gap) + 1;
    // What a late timer has missed is left out, but for a tenth of a second, since timers have gaps of milliseconds.
    sent = Math.max(sent, due - Math.ceil(100 / gap));
    try {
      for (; sent < due && link.buffered < MAX_BUFFERED; sent += 1) link.send(message());
    } catch (error) {
      $('problem').textContent = error.message;
      return stopRepeating();
    }
    repeating = setTimeout(go, Math.max(1, begun + due * gap - performance.now()));
  };
  $('repeat').setAttribute('aria-pressed', 'true');
  go();
});

/** The settings of the heartbeat; nothing where it is off. */
const beats = () => $('beating').checked ? {
  text: $('beat-text').value, interval: $('interval').valueAsNumber * 1000, timeout: $('timeout').valueAsNumber * 1000, answers: $('answers').checked,
} : null;
const setBeats = () => {
  const settings = beats();
  if (settings && !(settings.interval > 0 && settings.timeout > 0)) throw new Error('The times of the heartbeat are seconds above zero.');
  link.beats = settings;
  link.comesBack = $('back').checked;
  draw();
};
for (const id of ['beating', 'beat-text', 'interval', 'timeout', 'answers', 'back']) $(id).addEventListener('change', () => attempt(setBeats));
on('heart', 'submit', setBeats);

on('end', 'submit', () => {
  const given = $('code').value;
  const reason = $('reason').value;
  link.close(given === '' ? (reason ? 1000 : undefined) : Number(given), reason);
});

on('clear', 'click', () => {
  Object.assign(log, { events: [], bytes: 0, dropped: 0, open: link.readyState === 1 ? log.open : null, droppedSince: 0 });
  Object.assign(totals, { sent: [0, 0], received: [0, 0] });
  echoes = [];
  beating = { last: undefined, missed: 0 };
  $('log').replaceChildren();
  draw();
});

/** Copies a text; where the browser refuses, as on a page that came over http:// from another machine, says so. */
const copy = async (text, tell) => {
  try {
    await navigator.clipboard.writeText(text);
    tell('copied');
  } catch {
    tell('the browser does not let this page copy');
  }
};
on('copy-log', 'click', () => {
  const lines = log.events.map(event => [clock(event.at), ...row(event).slice(1), event.echo === undefined ? '' : time(event.echo)].join('\t'));
  copy(`${lines.join('\n')}\n`, words => { $('log-size').textContent = words; });
});
on('as-scenario', 'click', () => {
  const events = log.events.filter(event => event.at > log.open.at);
  const next = events.findIndex(event => event.kind === 'dial');
  const text = scenario(log.open, next < 0 ? events : events.slice(0, next), beats(), log.droppedSince);
  $('scenario').textContent = text;
  $('copied').textContent = '';
  URL.revokeObjectURL($('save').href);
  $('save').href = URL.createObjectURL(new Blob([text], { type: 'application/toml' }));
  $('dialog').showModal();
});
on('copy-scenario', 'click', () => copy($('scenario').textContent, words => { $('copied').textContent = words; }));

$('url').value = `${location.origin.replace(/^http/, 'ws')}/time`;
attempt(setBeats);
