// One WebSocket at a time, and what is kept up around it: echo times, a heartbeat of texts that notices silence, and the way
// back. Knows no page: whatever happens is told as an event.
import { isSame, isText } from './data.js';

/** The most messages whose echo is waited for. */
const MAX_WAITING = 1000;
/** How often readyState is looked at, in ms: no event tells that the server has begun to close. */
const LOOK = 50;
/** The first wait before the way back, and the longest, in ms. Each is twice the one before, and half of it is left to chance. */
const BACK_OFF = [500, 15_000];
/** How late a timer may be before nobody is judged by it, in ms. */
const LATE = 250;

/** The time of day in ms, with the resolution of the browser's clock for lengths. */
const now = () => performance.timeOrigin + performance.now();

export class Link {
  #tell;
  #socket = null;
  #state = 3;
  /** What was asked for: address, subprotocols; nothing once it was closed by hand. */
  #wanted = null;
  #beats = null;
  #back = false;
  /** What was sent and has not come back, as its events. */
  #waiting = [];
  /** Since when the peer owes a sign of life, and when one came last. */
  #asked = null;
  #heard = 0;
  #timers = { look: 0, beat: 0, silence: 0, dial: 0 };
  #tries = 0;

  /** @param tell is told each event: `{ at, kind, … }` */
  constructor(tell) {
    this.#tell = event => {
      event.at ??= now();
      tell(event);
    };
  }

  get readyState() { return this.#state; }
  get buffered() { return this.#socket?.bufferedAmount ?? 0; }
  /** Whether it will dial again by itself. */
  get isComing() { return this.#timers.dial !== 0; }

  /** Sets the heartbeat, from the next beat on: `{ text, interval, timeout, answers }` in ms, or nothing. */
  set beats(settings) {
    this.#beats = settings;
    clearTimeout(this.#timers.beat);
    clearTimeout(this.#timers.silence);
    if (!settings) this.#asked = null;
    else if (this.#state === 1) this.#schedule();
  }

  /** Whether a connection that is lost is dialled again. */
  set comesBack(back) {
    this.#back = back;
    if (!back) this.#stay();
  }

  /** Dials. An address or a subprotocol that is none throws a SyntaxError. */
  connect(url, protocols) {
    if (this.#socket) return;
    this.#stay();
    this.#tries = 0;
    this.#dial({ url, protocols });
  }

  /** Sends a text or bytes, unless the connection is not open. */
  send(data, beat = false) {
    if (this.#state !== 1) return;
    const event = { at: now(), kind: 'sent', data, beat };
    this.#socket.send(data);
    this.#waiting.push(event);
    if (this.#waiting.length > MAX_WAITING) this.#waiting.shift();
    this.#tell(event);
  }

  /** Closes by hand, with a code and a reason or without. A code that is none for clients throws. */
  close(code, reason) {
    this.#stay();
    if (!this.#socket) return;
    if (code === undefined) this.#socket.close();
    else this.#socket.close(code, reason);
    this.#wanted = null;
    this.#look();
    this.#tell({ kind: 'closing', by: 'hand', code, reason });
  }

  #dial(wanted) {
    const socket = new WebSocket(wanted.url, wanted.protocols);
    this.#wanted = wanted;
    this.#socket = socket;
    socket.binaryType = 'arraybuffer';
    socket.onopen = () => this.#opened();
    socket.onmessage = ({ data }) => this.#received(isText(data) ? data : new Uint8Array(data));
    socket.onclose = ({ code, reason, wasClean }) => {
      const opened = this.#state !== 0;
      this.#end();
      this.#tell({ kind: 'closed', code, reason, clean: wasClean, opened });
      this.#return();
    };
    this.#timers.look = setInterval(() => this.#look(), LOOK);
    this.#tell({ kind: 'dial', url: wanted.url, protocols: wanted.protocols });
    this.#look();
    if (this.#beats) this.#ask();
  }

  #opened() {
    this.#tries = 0;
    this.#look();
    const { protocol, extensions } = this.#socket;
    this.#tell({ kind: 'open', ...this.#wanted, protocol, extensions });
    this.#live();
    if (this.#beats) this.#schedule();
  }

  #received(data) {
    const at = now();
    this.#live();
    // The first of equal messages comes back first.
    const index = this.#waiting.findIndex(sent => isSame(sent.data, data));
    const [sent] = index < 0 ? [] : this.#waiting.splice(index, 1);
    const echo = sent && at - sent.at;
    if (sent) sent.echo = echo;
    this.#tell({ at, kind: 'received', data, echo, beat: sent?.beat ?? false });
    if (!sent && this.#beats?.answers && data === 'ping') this.send('pong', true);
  }

  /** Tells a change of readyState. */
  #look() {
    const state = this.#socket?.readyState ?? 3;
    if (state === this.#state) return;
    this.#state = state;
    this.#tell({ kind: 'state', state });
  }

  /** A sign of life has come. */
  #live() {
    this.#heard = performance.now();
    this.#asked = null;
    clearTimeout(this.#timers.silence);
  }

  #schedule() {
    clearTimeout(this.#timers.beat);
    this.#timers.beat = setTimeout(() => {
      this.send(this.#beats.text, true);
      this.#ask();
      this.#schedule();
    }, this.#beats.interval);
  }

  /** The peer owes a sign of life, within the timeout. */
  #ask() {
    if (this.#asked !== null) return;
    this.#asked = performance.now();
    this.#watch(this.#beats.timeout);
  }

  #watch(left) {
    clearTimeout(this.#timers.silence);
    const due = performance.now() + left;
    this.#timers.silence = setTimeout(() => {
      // Whoever looks too late, as a tab in the background does, first takes what has come in the meantime.
      if (performance.now() > due + LATE) this.#watch(LATE);
      else this.#silent();
    }, left);
  }

  #silent() {
    const since = this.#state === 0 ? this.#asked : this.#heard;
    this.#tell({ kind: 'silent', silent: performance.now() - since });
    const socket = this.#socket;
    socket.onopen = socket.onmessage = socket.onclose = null;
    this.#end();
    // Nobody answers its Close: the browser ends it in its own time.
    socket.close(4000, 'heartbeat timeout');
    this.#return();
  }

  #end() {
    clearInterval(this.#timers.look);
    clearTimeout(this.#timers.beat);
    clearTimeout(this.#timers.silence);
    this.#socket = null;
    this.#asked = null;
    this.#waiting = [];
    this.#look();
  }

  /** Dials again in a while, if that is wanted. */
  #return() {
    const wanted = this.#wanted;
    if (!this.#back || !wanted) return;
    const longest = Math.min(BACK_OFF[0] * 2 ** this.#tries, BACK_OFF[1]);
    const wait = longest * (0.5 + Math.random() / 2);
    this.#tries += 1;
    this.#timers.dial = setTimeout(() => {
      this.#timers.dial = 0;
      this.#dial(wanted);
    }, wait);
    this.#tell({ kind: 'again', wait });
  }

  /** Dials no more by itself. */
  #stay() {
    clearTimeout(this.#timers.dial);
    this.#timers.dial = 0;
  }
}
