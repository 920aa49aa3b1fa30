// Turns what was done by hand into a scenario that `wsbench check` takes: each send a step, with the gap before it as a pause.
// Pure: it is given what happened, and knows no page and no socket.
import { bytesOf, hex, isSame, isText } from './data.js';

/** The most steps that are written; a scenario may have 1,024. */
const MAX_STEPS = 500;
/** The longest message that is written out, in bytes; of a longer one only its size is. */
const MAX_WRITTEN = 4096;
/** The shortest gap between two sends that becomes a pause, in ms. */
const SHORTEST_PAUSE = 20;

/** A text as a basic string of TOML. JSON escapes the same, but for DEL. */
const quoted = text => JSON.stringify(text).replaceAll('\u007f', '\\u007f');

/** What was sent or came, as a payload or a match. Braces and `${` mean something in texts, and nothing in bytes. */
const written = data => {
  if (!isText(data)) return `{ hex = "${hex(data)}" }`;
  return /\{\{|\}\}|\$\{/.test(data) ? `{ hex = "${hex(bytesOf(data))}" }` : `{ text = ${quoted(data)} }`;
};

/** A text for a comment: one line, and not too long. */
const shown = data => {
  const text = isText(data) ? data : `${data.length} bytes`;
  return quoted(text.length > 60 ? `${text.slice(0, 60)}…` : text);
};

const ms = time => `"${Math.max(1, Math.round(time))}ms"`;

/** Neighbours that sent the same, with the time of the first and of the last, and what came before the next send. */
const gathered = events => {
  const groups = [];
  for (const event of events) {
    const last = groups.at(-1);
    if (event.kind === 'sent' && !event.beat) {
      if (last && isSame(last.data, event.data)) {
        last.count += 1;
        last.until = event.at;
        last.echoed += Number(event.echo !== undefined);
      } else {
        groups.push({ data: event.data, count: 1, from: event.at, until: event.at, echoed: Number(event.echo !== undefined), came: [] });
      }
    } else if (event.kind === 'received' && event.echo === undefined && last) {
      last.came.push(event.data);
    }
  }
  return groups;
};

const step = (group, number, head) => {
  const size = isText(group.data) ? bytesOf(group.data).length : group.data.length;
  const isLong = size > MAX_WRITTEN;
  const lines = [head, `name = "step-${number}"`, `send = ${isLong ? `{ size = "${size}B" }` : written(group.data)}`];
  if (!isText(group.data)) lines.push('frame = "binary"');
  if (!group.isAnswered) lines.push('expect = "none"');
  else lines.push(`expect = ${isLong ? '"echo"' : written(group.data)}`);
  for (const data of group.came.slice(0, 3)) lines.push(`# came before the next one: ${shown(data)}`);
  if (group.came.length > 3) lines.push(`# … and ${group.came.length - 3} more`);
  return lines;
};

const heartbeat = settings => [
  '[heartbeat]',
  'kind = "text"',
  `interval = ${ms(settings.interval)}`,
  `send = ${written(settings.text)}`,
  ...settings.echoed ? [`expect = ${written(settings.text)}`, `timeout = ${ms(settings.timeout)}`]
    : ['expect = "none"', `silence = ${ms(settings.interval + settings.timeout)}`],
  '',
];

/**
 * The text of the scenario of one connection.
 * @param open the event of its opening: `{ at, url, protocols }`, with `at` in ms
 * @param events what followed, in order, each `{ at, kind, … }`: `sent` and `received` have `data`, `echo` where the message came
 *   back, and `beat` for those of the heartbeat; `closing` has `by`, `code` and `reason`
 * @param beats the settings of the heartbeat, or nothing
 * @param dropped how many events after the opening the log has no more
 */
export const scenario = (open, events, beats, dropped = 0) => {
  const groups = gathered(events);
  const kept = groups.slice(0, MAX_STEPS);
  // What the heartbeat says too is answered by nothing that can be told from its answers.
  for (const group of kept) group.isAnswered = group.echoed === group.count && !(beats && isSame(group.data, beats.text));
  const begun = open.at;
  const closed = events.find(event => event.kind === 'closing');
  const ended = (closed ?? events.at(-1) ?? open).at;
  const lines = [
    `# Done by hand, ${new Date(begun).toISOString()}. Play it once and see each frame: wsbench try FILE`,
    ...dropped ? [`# The log was full: what came first, ${dropped} events, is not in it.`] : [],
    '',
    'name = "by-hand"',
    'message = []                     # all that is sent is a step',
    '',
    '[target]',
    `url = ${quoted(open.url)}`,
    ...open.protocols.length ? [`subprotocols = [${open.protocols.map(quoted).join(', ')}]`] : [],
    '',
    '[load]',
    'connections = 1                  # more clients do the same, each on its own',
    `duration = "${Math.ceil((ended - begun) / 1000) + 10}s"`,
    '',
    ...beats ? heartbeat({ ...beats, echoed: events.some(event => event.kind === 'sent' && event.beat && event.echo !== undefined) }) : [],
  ];
  let before = dropped ? (kept[0]?.from ?? begun) : begun;
  for (const [at, group] of kept.entries()) {
    const gap = group.from - before;
    if (gap >= SHORTEST_PAUSE) lines.push('[[step]]', `pause = ${ms(gap)}`, '');
    if (group.count > 1) {
      const rate = (group.count - 1) * 1000 / (group.until - group.from);
      const paced = Number.isFinite(rate) && rate <= 1e6 ? `, rate = "${rate.toPrecision(3) / 1}/s"` : '';
      lines.push('[[step]]', `repeat = { count = ${group.count}${paced} }`, ...step(group, at + 1, '[[step.step]]'), '');
    } else {
      lines.push(...step(group, at + 1, '[[step]]'), '');
    }
    before = group.until;
  }
  if (groups.length > kept.length) lines.push(`# ${groups.length - kept.length} more sends are left out.`, '');
  if (closed?.by === 'hand') {
    if (closed.at - before >= SHORTEST_PAUSE) lines.push('[[step]]', `pause = ${ms(closed.at - before)}`, '');
    const reason = closed.reason ? `, reason = ${quoted(closed.reason)}` : '';
    lines.push('[[step]]', `close = { code = ${closed.code ?? 1000}${reason} }`, '');
  }
  if (events.some(event => event.kind === 'received' && event.echo === undefined)) {
    lines.push('[[on]]', 'name = "other"                   # whatever else the server says', 'match = { regex = "(?s)^" }', '');
  }
  const answered = kept.some(group => group.isAnswered);
  lines.push(
    '[gates]',
    'pass = [',
    '  "count(connections.failed) == 0",',
    '  "count(connections.lost) == 0",',
    ...answered ? ['  "count(messages.timed_out) == 0",'] : [],
    ']',
    '',
  );
  return lines.join('\n');
};
