// What is sent and what comes: a text, or bytes as a Uint8Array.

export const isText = data => typeof data === 'string';

export const isSame = (a, b) => isText(a) || isText(b) ? a === b
  : a.length === b.length && a.every((byte, at) => byte === b[at]);

export const bytesOf = text => new TextEncoder().encode(text);

/** Bytes as pairs of digits: `00 ff`. */
export const hex = bytes => Array.from(bytes, byte => byte.toString(16).padStart(2, '0')).join(' ');

/** Bytes from pairs of digits, with blanks or without; nothing if they are none. */
export const fromHex = text => {
  const digits = text.replace(/\s+/g, '');
  if (digits.length % 2 || /[^0-9a-f]/i.test(digits)) return undefined;
  return Uint8Array.from(digits.match(/../g) ?? [], pair => parseInt(pair, 16));
};
