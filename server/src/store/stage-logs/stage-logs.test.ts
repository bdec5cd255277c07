import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { ServiceError } from '../../errors.ts';
import { failuresOf } from '../suite.ts';
import { type StageLogsStores, testStageLogs } from './stage-logs.contract.ts';
import {
  LOG_LEVELS,
  type LogLine,
  type LogPage,
  type LogQuery,
  type NewLogLine,
  type StageLogs,
  type StageLogsLimits,
} from './stage-logs.ts';

/** A stage's lines, oldest first, and the position of the last one that it ever had. */
interface Log {
  lines: readonly LogLine[];
  lastPosition: number;
}

/** What all processes share. */
type Disk = Map<string, Log>;

const CANNOT_BE_KEPT = /\0|\p{Surrogate}/gu;

/**
 * The smallest code that keeps every promise, in memory. Each step is a method, so that a variant can get one wrong.
 */
class Model implements StageLogs {
  readonly disk: Disk;
  protected limits: StageLogsLimits;
  protected isClosed = false;

  constructor(limits: StageLogsLimits, disk: Disk = new Map()) {
    this.limits = limits;
    this.disk = disk;
  }

  async append(stageId: string, lines: readonly NewLogLine[]): Promise<void> {
    const log = this.logOf(stageId);
    const kept = lines.map((line) => this.toKept(line));
    for (const line of kept) {
      if (this.sizeOf(line) > this.limits.maxBytesPerStage) throw new ServiceError('quota_exceeded', 'too long');
    }
    for (const line of kept) this.write(log, line);
    log.lines = this.newest(log.lines);
  }

  async read(stageId: string, query: LogQuery): Promise<LogPage> {
    const log = this.logOf(stageId);
    const inOrder = query.order === 'oldest_first' ? log.lines : log.lines.toReversed();
    const found = inOrder.filter((line) => this.isBeyond(line, query) && this.isWanted(line, query));
    const lines = found.slice(0, query.limit);
    const isEnd = lines.length === found.length;
    return { lines, isEnd, cursor: this.cursorOf(lines, isEnd, query, log), missed: this.missedBy(query, log) };
  }

  async remove(stageId: string): Promise<void> {
    this.logOf(stageId);
    this.disk.delete(stageId);
  }

  async close(): Promise<void> {
    this.isClosed = true;
  }

  protected logOf(stageId: string): Log {
    if (this.isClosed) throw new ServiceError('internal', 'closed');
    const log = this.disk.get(stageId) ?? { lines: [], lastPosition: 0 };
    this.disk.set(stageId, log);
    return log;
  }

  protected write(log: Log, line: NewLogLine): void {
    log.lastPosition += 1;
    log.lines = [...log.lines, { ...line, position: log.lastPosition }];
  }

  protected toKept(line: NewLogLine): NewLogLine {
    const { text, playerId, handler, requestId } = line;
    const facts = { playerId, handler, requestId };
    const kept = Object.entries(facts).map(([name, value]) => [name, value?.replace(CANNOT_BE_KEPT, '\ufffd')]);
    return { ...line, ...Object.fromEntries(kept), text: text.replace(CANNOT_BE_KEPT, '\ufffd') };
  }

  protected sizeOf({ text, playerId = '', handler = '', requestId = '' }: NewLogLine): number {
    return Buffer.byteLength(text + playerId + handler + requestId);
  }

  protected newest(lines: readonly LogLine[]): readonly LogLine[] {
    const { maxLinesPerStage, maxBytesPerStage } = this.limits;
    let bytes = 0;
    let first = lines.length;
    for (const line of lines.toReversed()) {
      bytes += this.sizeOf(line);
      if (bytes > maxBytesPerStage || lines.length - first === maxLinesPerStage) break;
      first -= 1;
    }
    return lines.slice(first);
  }

  protected isBeyond({ position }: LogLine, { order, after }: LogQuery): boolean {
    if (after === undefined) return true;
    return order === 'oldest_first' ? position > after : position < after;
  }

  protected isWanted({ at, level }: LogLine, { minLevel = 'debug', since = 0, until = Infinity }: LogQuery): boolean {
    return at >= since && at < until && LOG_LEVELS.indexOf(level) >= LOG_LEVELS.indexOf(minLevel);
  }

  protected cursorOf(lines: readonly LogLine[], isEnd: boolean, { order, after = 0 }: LogQuery, log: Log): number {
    if (isEnd && order === 'oldest_first') return log.lastPosition;
    return lines.at(-1)?.position ?? after;
  }

  protected missedBy({ order, after }: LogQuery, { lines, lastPosition }: Log): number {
    if (after === undefined || order === 'newest_first') return 0;
    return Math.max(0, lastPosition - lines.length - after);
  }
}

type ModelClass = new (limits: StageLogsLimits, disk?: Disk) => Model;

function storesOf(Variant: ModelClass): StageLogsStores {
  return {
    open: async (_t: TestContext, limits: StageLogsLimits) => new Variant(limits),
    openBeside: async (_t, first, limits) => new Variant(limits, (first as Model).disk),
  };
}

describe('a model of stage logs', () => testStageLogs(storesOf(Model)));

/** The mistakes that the suite must notice, and the promise that each must break. */
const BROKEN: Readonly<Record<string, { Variant: ModelClass; promise: RegExp }>> = {
  'lines are in order of time': {
    promise: /whatever their times/,
    Variant: class extends Model {
      protected override write(log: Log, line: NewLogLine) {
        super.write(log, line);
        log.lines = log.lines.toSorted((a, b) => a.at - b.at);
      }
    },
  },
  'text that cannot be kept ends the text': {
    promise: /cannot be kept is replaced/,
    Variant: class extends Model {
      protected override toKept(line: NewLogLine) {
        return super.toKept({ ...line, text: line.text.split('\0')[0] ?? '' });
      }
    },
  },
  'all stages have one log': {
    promise: /belongs to one stage/,
    Variant: class extends Model {
      protected override logOf() {
        return super.logOf('');
      }
    },
  },
  'a page begins with the line that ended the one before': {
    promise: /give each line once/,
    Variant: class extends Model {
      protected override isBeyond(line: LogLine, query: LogQuery) {
        const repeated = query.limit > 1 && query.order === 'newest_first' && line.position === query.after;
        return repeated || super.isBeyond(line, query);
      }
    },
  },
  'a full page counts as not the last one': {
    promise: /whether it is the last/,
    Variant: class extends Model {
      override async read(stageId: string, query: LogQuery) {
        const page = await super.read(stageId, query);
        return { ...page, isEnd: page.lines.length < query.limit };
      }
    },
  },
  'the cursor counts from the newest line': {
    promise: /appended between two pages/,
    Variant: class extends Model {
      override async read(stageId: string, query: LogQuery) {
        if (query.order === 'oldest_first') return await super.read(stageId, query);
        const { lastPosition } = this.logOf(stageId);
        const { after = 0, ...rest } = query;
        const page = await super.read(stageId, { ...rest, after: lastPosition + 1 - after });
        return { ...page, cursor: after + page.lines.length };
      }
    },
  },
  'a level finds only itself': {
    promise: /more severe/,
    Variant: class extends Model {
      protected override isWanted(line: LogLine, query: LogQuery) {
        return super.isWanted(line, query) && (query.minLevel === undefined || line.level === query.minLevel);
      }
    },
  },
  'the end of a time is part of it': {
    promise: /before another/,
    Variant: class extends Model {
      protected override isWanted(line: LogLine, { until = Infinity, ...query }: LogQuery) {
        return super.isWanted(line, { ...query, until: until + 1 });
      }
    },
  },
  'a filter is applied to the page after it was cut': {
    promise: /on every page/,
    Variant: class extends Model {
      override async read(stageId: string, query: LogQuery) {
        const { order, limit, after } = query;
        const page = await super.read(stageId, { order, limit, ...(after !== undefined && { after }) });
        return { ...page, lines: page.lines.filter((line) => this.isWanted(line, query)) };
      }
    },
  },
  'the cursor stays at the last line that was found': {
    promise: /that a filter leaves out/,
    Variant: class extends Model {
      protected override cursorOf(lines: readonly LogLine[], _isEnd: boolean, { after = 0 }: LogQuery) {
        return lines.at(-1)?.position ?? after;
      }
    },
  },
  'a reader that is ahead of the log stays there': {
    promise: /ahead of the log/,
    Variant: class extends Model {
      protected override cursorOf(...asked: Parameters<Model['cursorOf']>) {
        return Math.max(super.cursorOf(...asked), asked[2].after ?? 0);
      }
    },
  },
  'a reader is not told what it has missed': {
    promise: /told how many/,
    Variant: class extends Model {
      protected override missedBy() {
        return 0;
      }
    },
  },
  'the newest lines are dropped': {
    promise: /up to a number$/,
    Variant: class extends Model {
      protected override newest(lines: readonly LogLine[]) {
        return lines.slice(0, super.newest(lines).length);
      }
    },
  },
  'positions begin anew when lines are dropped': {
    promise: /up to a number$/,
    Variant: class extends Model {
      protected override newest(lines: readonly LogLine[]) {
        return super.newest(lines).map((line, index) => ({ ...line, position: index + 1 }));
      }
    },
  },
  'characters are counted as bytes': {
    promise: /bytes of UTF-8/,
    Variant: class extends Model {
      protected override sizeOf({ text, playerId = '', handler = '', requestId = '' }: NewLogLine) {
        return (text + playerId + handler + requestId).length;
      }
    },
  },
  'the facts are not counted': {
    promise: /facts included/,
    Variant: class extends Model {
      protected override sizeOf({ text }: NewLogLine) {
        return Buffer.byteLength(text);
      }
    },
  },
  'a line that is too long is refused after those before it were appended': {
    promise: /refused with those beside it/,
    Variant: class extends Model {
      override async append(stageId: string, lines: readonly NewLogLine[]) {
        for (const line of lines) await super.append(stageId, [line]);
      }
    },
  },
  'an append drops as many lines as it adds': {
    promise: /now too many/,
    Variant: class extends Model {
      override async append(stageId: string, lines: readonly NewLogLine[]) {
        const { length } = this.logOf(stageId).lines;
        this.limits = { ...this.limits, maxLinesPerStage: Math.max(length, this.limits.maxLinesPerStage) };
        await super.append(stageId, lines);
      }
    },
  },
  'the lines of an append are written one by one': {
    promise: /each append stays together/,
    Variant: class extends Model {
      override async append(stageId: string, lines: readonly NewLogLine[]) {
        for (const line of lines) await super.append(stageId, [line]);
      }
    },
  },
  'a line can be read before one with a lower position': {
    promise: /misses none/,
    Variant: class extends Model {
      protected override write(log: Log, line: NewLogLine) {
        const before = log.lines;
        super.write(log, line);
        if (log.lastPosition % 5 !== 0) return;
        const late = log.lines.at(-1) as LogLine;
        log.lines = before;
        setImmediate(() => {
          log.lines = [...log.lines, late].sort((a, b) => a.position - b.position);
        });
      }
    },
  },
  'the removal of a log ends after one step': {
    promise: /however long/,
    Variant: class extends Model {
      override async remove(stageId: string) {
        const log = this.logOf(stageId);
        log.lines = log.lines.slice(1_000);
      }
    },
  },
  'a process counts positions by itself': {
    promise: /appends after it/,
    Variant: class extends Model {
      #lastPosition = 0;
      protected override write(log: Log, line: NewLogLine) {
        this.#lastPosition += 1;
        log.lastPosition = this.#lastPosition - 1;
        super.write(log, line);
      }
    },
  },
  'closed logs still append': {
    promise: /nothing after/,
    Variant: class extends Model {
      override async close() {}
    },
  },
};

for (const [name, { Variant, promise }] of Object.entries(BROKEN)) {
  test(`the suite of stage logs notices it when ${name}`, async (t) => {
    const failures = await failuresOf((register) => testStageLogs(storesOf(Variant), register), t);
    assert.ok(
      failures.some((title) => promise.test(title)),
      `found broken: ${failures.join('; ') || 'nothing'}`,
    );
  });
}
