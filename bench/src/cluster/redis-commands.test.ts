import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CommandCounter } from './redis-commands.ts';

test('commands of clients are counted, however they arrive, and those that a script runs are not', () => {
  const said =
    '+OK\r\n' +
    '+1764240000.123456 [0 127.0.0.1:40000] "EVALSHA" "abc" "1" "key"\r\n' +
    '+1764240000.123460 [0 lua] "HGET" "key" "lua] [0 127.0.0.1:1]"\r\n' +
    '+1764240000.223456 [0 127.0.0.1:40001] "PUBLISH" "channel" "[0 lua] \\r\\n"\r\n' +
    '+1764240000.323456 [15 [::1]:40001] "SUBSCRIBE" "channel"\r\n';
  for (const pieces of [[said], said.split(''), said.split(/(?<=\r)/)]) {
    const counter = new CommandCounter();
    for (const piece of pieces) counter.read(piece);
    assert.equal(counter.count, 3);
  }
});
