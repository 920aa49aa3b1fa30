// The method `sum` of both JSON-RPC servers. Of four calls one after the other the last is answered first.

const { setTimeout: pause } = require('timers/promises');

module.exports = (counts) => async ([a, b]) => {
  counts.said += 1;
  await pause((3 - (a % 4)) * 20);
  counts.answered += 1;
  return a + b;
};
