import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ServiceError } from '../../errors.ts';
import type { PlayerData } from '../../store/player-data/player-data.ts';
import { Model } from '../../store/player-data/player-data-model.ts';
import { ScriptPlayerData } from './script-player-data.ts';

const ANNA = { stageId: 's', playerId: 'anna' };

/** The data of a player who has only 100 gold, and what two invocations see of it. */
async function open() {
  const limits = { maxKeysPerPlayer: 101, maxBytesPerPlayer: 10_000, maxBytesPerStage: 100_000 };
  const playerData: PlayerData = new Model(limits);
  const writeElsewhere = (changes: Readonly<Record<string, string | undefined>>) =>
    playerData.set(ANNA, new Map(Object.entries(changes)));
  await writeElsewhere({ Gold: '100' });
  let held = Promise.resolve();
  let asked = 0;
  /** Makes the next call of a script wait until the function that this returns is called. */
  const holdNext = () => {
    let release = () => {};
    held = new Promise((resolve) => {
      release = resolve;
    });
    return release;
  };
  async function passed(): Promise<void> {
    const until = held;
    held = Promise.resolve();
    await until;
  }
  const another = () => {
    const data = new ScriptPlayerData({
      playerData: {
        async get(player, keys) {
          asked = Math.max(asked, keys?.length ?? 0);
          return await passed().then(() => playerData.get(player, keys));
        },
        set: async (...given) => passed().then(() => playerData.set(...given)),
      },
      stageId: 's',
    });
    return {
      read: (keys?: readonly string[]) => data.get('anna', keys),
      write: (changes: Readonly<Record<string, unknown>>) => data.set('anna', changes),
    };
  };
  return {
    writeElsewhere,
    ...another(),
    another,
    holdNext,
    /** The most keys that the data has been asked for at once. */
    mostAsked: () => asked,
    stored: async () => Object.fromEntries((await playerData.get(ANNA)).values),
  };
}

function isConflict(error: ServiceError): boolean {
  return error.code === 'conflict' && error.message.includes('read all of it again');
}

test('what was read before counts on when other keys are read later', async () => {
  for (const later of [['Items'], ['Gold', 'Items'], undefined]) {
    const { writeElsewhere, read, write, stored } = await open();
    await read(['Gold']);
    await writeElsewhere({ Gold: '95' });
    await read(later);
    if (later === undefined || later.includes('Gold')) {
      await write({ Gold: 94 });
      assert.deepEqual(await stored(), { Gold: '94' });
    } else {
      await assert.rejects(write({ Gold: 99, Items: 1 }), isConflict);
      assert.deepEqual(await stored(), { Gold: '95' });
    }
  }
});

test('what was read of everything counts on when some keys are read later', async () => {
  const { writeElsewhere, read, write } = await open();
  await read();
  await writeElsewhere({ Items: '1' });
  await read(['Gold']);
  await assert.rejects(write({ Gold: 99 }), isConflict);
  await assert.rejects(write({ Gold: 99 }), isConflict);
  await read();
  await write({ Gold: 99 });
});

test('writes of others to other keys are no conflict, however often the script reads in between', async () => {
  const { writeElsewhere, read, write, stored } = await open();
  await read(['Gold']);
  await writeElsewhere({ Seen: '1' });
  await read(['Items']);
  await writeElsewhere({ Seen: '2' });
  await write({ Gold: 99 });
  await writeElsewhere({ Seen: '3' });
  await write({ Items: 1 });
  assert.deepEqual(await stored(), { Gold: '99', Items: '1', Seen: '3' });
});

test('a script that has read thousands of keys has no more looked for at once than it asks for itself', async () => {
  const { writeElsewhere, read, write, mostAsked, stored } = await open();
  for (let call = 0; call < 50; call += 1) {
    await read(Array.from({ length: 100 }, (_, index) => (call + index === 0 ? 'Gold' : `Key${100 * call + index}`)));
    await writeElsewhere({ Seen: String(call) });
  }
  await write({ Items: 1 });
  assert.equal(mostAsked(), 100);
  assert.deepEqual(await stored(), { Gold: '100', Seen: '49', Items: '1' });
  for (const changed of [{ Key4321: '1' }, { Gold: '95' }, { Gold: undefined }]) {
    await read(['Key4321', 'Gold']);
    await writeElsewhere(changed);
    await assert.rejects(write({ Items: 2 }), isConflict);
  }
});

test('of a script that has asked for very long keys any change is a conflict, until it has read everything', async () => {
  const { writeElsewhere, read, write, stored } = await open();
  const longKeys = (call: number) =>
    Array.from({ length: 100 }, (_, index) => 'x'.repeat(1_400) + (100 * call + index));
  for (const keys of [['Gold'], longKeys(1), longKeys(2)]) await read(keys);
  await write({ Items: 1 });
  await writeElsewhere({ Seen: '1' });
  await assert.rejects(write({ Items: 2 }), isConflict);
  await read(['Gold']);
  await assert.rejects(write({ Items: 2 }), isConflict);
  await read();
  await read(longKeys(3));
  await write({ Items: 3 });
  await writeElsewhere({ Seen: '2' });
  await assert.rejects(write({ Items: 4 }), isConflict);
  assert.deepEqual(await stored(), { Gold: '100', Items: '3', Seen: '2' });
});

test('what was there for a moment counts as changed when the player has nothing before and after', async () => {
  const { writeElsewhere, read, write, stored } = await open();
  await writeElsewhere({ Gold: undefined });
  await read(['Gold']);
  await writeElsewhere({ Items: '1' });
  await read(['Items']);
  await writeElsewhere({ Items: undefined });
  await assert.rejects(write({ Gold: 1 }), isConflict);
  assert.deepEqual(await stored(), {});
});

test('however many write other keys at the same time, none of them meets a conflict', async () => {
  const { another, stored } = await open();
  const keys = Array.from({ length: 100 }, (_, index) => `Key${index}`);
  await Promise.all(
    keys.map(async (key) => {
      const { read, write } = another();
      await read([key]);
      await write({ [key]: 1 });
    }),
  );
  assert.deepEqual(await stored(), { Gold: '100', ...Object.fromEntries(keys.map((key) => [key, '1'])) });
});

test('a key that the script has only written may be written by others before it writes it again', async () => {
  const { writeElsewhere, read, write, stored } = await open();
  await read(['Gold']);
  await write({ Gold: 99, Seen: 1 });
  await writeElsewhere({ Seen: '2' });
  await write({ Seen: 3 });
  assert.deepEqual(await stored(), { Gold: '99', Seen: '3' });
  await writeElsewhere({ Gold: '5' });
  await assert.rejects(write({ Seen: 4 }), isConflict);
});

test('every key counts as read for a script that has read everything, also one that it has only written', async () => {
  const { writeElsewhere, read, write } = await open();
  await read();
  await write({ Seen: 1 });
  await writeElsewhere({ Seen: '2' });
  await assert.rejects(write({ Seen: 3 }), isConflict);
});

test('what a read finds for which the script waits no longer does not count as read', async () => {
  const { writeElsewhere, read, write, holdNext, stored } = await open();
  const release = holdNext();
  const late = read(['Gold']);
  await read(['Gold']);
  await writeElsewhere({ Gold: '95' });
  release();
  await late;
  await assert.rejects(write({ Gold: 99 }), isConflict);
  assert.deepEqual(await stored(), { Gold: '95' });
});

test('a write for which the script waits no longer is not made once the script has read what others have written', async () => {
  const { writeElsewhere, read, write, holdNext, stored } = await open();
  await read(['Gold']);
  const release = holdNext();
  const late = write({ Gold: 99 });
  await writeElsewhere({ Gold: '95' });
  await read(['Gold']);
  release();
  await assert.rejects(late, isConflict);
  assert.deepEqual(await stored(), { Gold: '95' });
  await write({ Gold: 94 });
  assert.deepEqual(await stored(), { Gold: '94' });
});

test('a write for which the script waits no longer is a conflict with what the script has read before it was made', async () => {
  const { read, write, holdNext, stored } = await open();
  await read(['Gold']);
  const release = holdNext();
  const late = write({ Gold: 90, Items: 1 });
  await read(['Gold']);
  release();
  await late;
  await assert.rejects(write({ Gold: 105 }), isConflict);
  assert.deepEqual(await stored(), { Gold: '90', Items: '1' });
});
