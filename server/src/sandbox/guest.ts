import type { QuickJSContext, QuickJSHandle, QuickJSRuntime } from 'quickjs-emscripten-core';
import type { Clock } from '../clock.ts';
import type { LogLevel } from '../log.ts';
import { type Engine, startEngine } from './engine.ts';
import { installGuestApi } from './guest-api.ts';
import { GuestMemory, type Snapshot } from './guest-memory.ts';
import type { CompiledEngine } from './web-assembly.ts';

/** What one invocation may use. */
export interface GuestLimits {
  /** The engine counts a tick each 10,000 calls and jumps back, the same number for the same work on any machine. */
  readonly maxTicks: number;
  /** Time without that of host calls: recursion that is caught can run for seconds within few ticks. */
  readonly maxBusyMs: number;
  /** How much further than at rest the heap may reach before the instance is replaced. */
  readonly maxGrowthBytes: number;
}

/** What the guest can reach. Its texts are read only when they are wanted: each takes as long as it is long. */
export interface GuestHost {
  /** Runs one row of the host API, and returns its answer as JSON: `{"result":…}` or `{"error":{"code":…,"message":…}}`. */
  readonly call: (operation: string, readParameters: () => string) => string;
  readonly log: (level: LogLevel, readText: () => string) => void;
}

/** A script may use so much of the engine's own 5 MiB. Deeper recursion, also of its parsers, ends as an error of the script. */
const STACK_BYTES = 98_304;

/**
 * A deployment refuses a script that would run when it is compiled, because it ends its function and goes on. Should one
 * come through, it is ended here, so that it keeps no thread from others. The first tick may come at once.
 */
const MAX_TICKS_TO_COMPILE = 2;

/** How much longer a script may take that has hardly computed anything, as a multiple of its time. */
const GRACE = 3;

/** The first line of a script begins behind this. */
export const WRAPPER_START = '(function(message){';

/** As long as the other, for a script that declares a `message` of its own with `let`, `const` or `class`. */
const WRAPPER_WITHOUT_MESSAGE = '(function(       ){';

export const OUT_OF_MEMORY = 'it used more memory than a script may (32 MiB)';

export type Finished =
  | { readonly kind: 'returned'; readonly text: string }
  /** The script used up one of these. */
  | { readonly kind: 'stopped'; readonly by: 'ticks' | 'time' | 'calls' }
  /** Memory ran out, or the engine failed. */
  | { readonly kind: 'broken'; readonly cause: string };

/** The scripts of one runtime, compiled, in the memory of the instance. */
export interface ScriptSet {
  readonly snapshot: Snapshot;
  /** The names of the handlers, as texts in that memory. */
  readonly names: ReadonlyMap<string, QuickJSHandle>;
}

/** What the random numbers of one invocation begin with, of 32 bits each. */
export type Seeds = readonly [number, number, number, number];

/**
 * One instance of QuickJS, for one game. Before each invocation its memory is put back to what it was when the scripts had
 * been compiled, so that nothing of an earlier invocation is left. An instance that can't be put back is spoiled, and
 * must be replaced. It runs one invocation at a time.
 */
export class Guest {
  readonly #engine: Engine;
  readonly #memory: GuestMemory;
  readonly #context: QuickJSContext;
  readonly #limits: GuestLimits;
  readonly #clock: Clock;
  readonly #define: QuickJSHandle;
  readonly #run: QuickJSHandle;
  readonly #base: Snapshot;
  /** What the memory is now, unless an invocation has changed it. */
  #atRest: Snapshot | undefined;
  #isSpoiled = false;
  /** What is under way of a script; nothing else is limited. While scripts are compiled, nothing of them should run. */
  #underWay: 'compiling' | 'invocation' | undefined;
  #ticks = 0;
  #isExhausted = false;
  #busyUntil = 0;
  #isStopped = false;

  static async create(parts: {
    engine: CompiledEngine;
    host: GuestHost;
    limits: GuestLimits;
    clock: Clock;
  }): Promise<Guest> {
    return new Guest(await startEngine(parts.engine), parts);
  }

  private constructor(engine: Engine, { host, limits, clock }: { host: GuestHost; limits: GuestLimits; clock: Clock }) {
    this.#engine = engine;
    this.#limits = limits;
    this.#clock = clock;
    this.#memory = new GuestMemory(engine);
    const runtime = engine.quickJs.newRuntime();
    runtime.setMaxStackSize(STACK_BYTES);
    this.#limitTime(runtime);
    const context = runtime.newContext();
    this.#context = context;
    // They are made when they are first asked for, which must not be after the snapshot.
    void [context.undefined, context.null, context.true, context.false, context.global];
    const installed = this.#install(host);
    this.#define = context.getProp(installed, 'define');
    this.#run = context.getProp(installed, 'run');
    this.#base = this.#memory.save();
    this.#atRest = this.#base;
  }

  /** Whether the instance can't be used any more. */
  get isSpoiled(): boolean {
    return this.#isSpoiled;
  }

  /** Bytes of WebAssembly memory that are in use at rest. */
  get bytes(): number {
    return this.#base.bytes;
  }

  /** Forgets all scripts, so that others can be loaded. A guest whose scripts took much memory is spoiled by that instead. */
  clear(): void {
    if (!this.#isSpoiled) this.#isSpoiled = !this.#restored(this.#base);
  }

  /**
   * Compiles scripts, handler name → body of a function. One that the engine does not take, because it nests too deeply
   * for one thing, fails whenever it is invoked, and the others are as good as without it.
   */
  load(scripts: ReadonlyMap<string, string>): ScriptSet {
    this.#restore(this.#base);
    this.#atRest = undefined;
    // When something is thrown on the way, the contents of the memory are unknown.
    this.#isSpoiled = true;
    const names = new Map<string, QuickJSHandle>();
    for (const [handler, script] of scripts) names.set(handler, this.#defineOne(handler, script));
    const snapshot = this.#memory.save();
    this.#isSpoiled = false;
    this.#atRest = snapshot;
    return { snapshot, names };
  }

  /** Runs one handler, in a guest that is as fresh as after `load`. */
  invoke({ snapshot, names }: ScriptSet, handler: string, inputJson: string, seeds: Seeds): Finished {
    this.#restore(snapshot);
    this.#atRest = undefined;
    this.#start();
    const context = this.#context;
    this.#underWay = 'invocation';
    try {
      const result = context.callFunction(
        this.#run,
        context.undefined,
        names.get(handler) ?? context.newString(handler),
        context.newString(inputJson),
        context.newNumber(seeds[0]),
        context.newNumber(seeds[1]),
        context.newNumber(seeds[2]),
        context.newNumber(seeds[3]),
      );
      // The handles are not released: what they point to is gone when the memory is put back.
      // Some of the engine's own functions turn the end of a script into an error that it can catch.
      if (this.#isStopped) return this.#stopped();
      if (result.error === undefined) return { kind: 'returned', text: context.getString(result.value) };
      this.#isSpoiled = true;
      return { kind: 'broken', cause: OUT_OF_MEMORY };
    } catch (error) {
      // Whatever is thrown out of WebAssembly leaves the engine in the middle of its work.
      this.#isSpoiled = true;
      return this.#isStopped ? this.#stopped() : { kind: 'broken', cause: String(error) };
    } finally {
      this.#underWay = undefined;
    }
  }

  /**
   * Puts the memory back after an invocation, so that the next one need not wait for that. Spoils a guest that has since
   * had scripts that took much more memory.
   */
  rest({ snapshot }: ScriptSet): void {
    if (!this.#isSpoiled) this.#isSpoiled = !this.#restored(snapshot);
  }

  /**
   * Whether the script has used up what it may use, and only has not come to its end yet. Of one that has hardly computed,
   * most of the time may be that of other threads, which the system let go first. The first tick may come at once,
   * because the count that leads to it goes on from where it was in the snapshot.
   */
  get isOver(): boolean {
    const { maxTicks, maxBusyMs } = this.#limits;
    const graceMs = this.#ticks <= 1 ? GRACE * maxBusyMs : 0;
    return this.#ticks > maxTicks || this.#clock.monotonic() > this.#busyUntil + graceMs;
  }

  /** Time that the script spent waiting for the host does not count. */
  addTime(ms: number): void {
    this.#busyUntil += ms;
  }

  /** Makes the script end at the next tick, because of the number of its calls. */
  exhaust(): void {
    this.#isExhausted = true;
    this.#ticks = this.#limits.maxTicks + 1;
  }

  /** A copy of all memory, for tests. */
  copyMemory(): Uint8Array {
    return new Uint8Array(this.#engine.memory.buffer).slice();
  }

  #install(host: GuestHost): QuickJSHandle {
    const context = this.#context;
    const hostHandle = context.newObject();
    // The handles are kept for good: once the guest let go of them, no restore would bring the functions back.
    const call = context.newFunction('call', (operation, parameters) =>
      context.newString(host.call(context.getString(operation), () => context.getString(parameters))),
    );
    const log = context.newFunction('log', (level, text) => {
      host.log(context.getString(level) as LogLevel, () => context.getString(text));
    });
    context.setProp(hostHandle, 'call', call);
    context.setProp(hostHandle, 'log', log);
    const install = context.unwrapResult(context.evalCode(`(${installGuestApi.toString()})`, 'game-sparks'));
    return context.unwrapResult(context.callFunction(install, context.undefined, hostHandle));
  }

  /** Returns the name of the handler. It is kept for good, as long as the memory is what it is with these scripts. */
  #defineOne(handler: string, script: string): QuickJSHandle {
    const context = this.#context;
    const compiled = this.#compile(handler, script);
    const name = context.newString(handler);
    context.unwrapResult(context.callFunction(this.#define, context.undefined, name, compiled)).dispose();
    compiled.dispose();
    return name;
  }

  #compile(handler: string, script: string): QuickJSHandle {
    const context = this.#context;
    let fault: unknown;
    for (const start of [WRAPPER_START, WRAPPER_WITHOUT_MESSAGE]) {
      this.#ticks = 0;
      this.#underWay = 'compiling';
      const compiled = context.evalCode(`${start}${script}\n})`, handler);
      this.#underWay = undefined;
      if (compiled.error === undefined) return compiled.value;
      fault ??= context.dump(compiled.error);
      compiled.error.dispose();
    }
    return context.unwrapResult(context.evalCode(failingScript(handler, fault), handler));
  }

  #limitTime(runtime: QuickJSRuntime): void {
    runtime.setInterruptHandler(() => {
      if (this.#underWay === undefined) return false;
      this.#ticks += 1;
      if (this.#underWay === 'compiling') return this.#ticks > MAX_TICKS_TO_COMPILE;
      this.#isStopped ||= this.isOver;
      return this.#isStopped;
    });
  }

  #stopped(): Finished {
    if (this.#isExhausted) return { kind: 'stopped', by: 'calls' };
    return { kind: 'stopped', by: this.#ticks > this.#limits.maxTicks ? 'ticks' : 'time' };
  }

  #start(): void {
    this.#ticks = 0;
    this.#isExhausted = false;
    this.#isStopped = false;
    this.#busyUntil = this.#clock.monotonic() + this.#limits.maxBusyMs;
  }

  #restore(snapshot: Snapshot): void {
    this.#isSpoiled ||= !this.#restored(snapshot);
    if (this.#isSpoiled) throw new Error('a spoiled guest cannot be used again');
  }

  #restored(snapshot: Snapshot): boolean {
    if (this.#atRest === snapshot) return true;
    if (!this.#memory.restore(snapshot, this.#limits.maxGrowthBytes)) return false;
    this.#atRest = snapshot;
    return true;
  }
}

/** Stands in for a script that does not compile: it throws why, from where that is. */
function failingScript(handler: string, fault: unknown): string {
  const { name, message, stack } = { name: 'SyntaxError', message: 'it does not compile', stack: '', ...Object(fault) };
  const at = String(stack)
    .split(`${handler}:`)[1]
    ?.match(/^\d{1,7}:\d{1,7}/)?.[0];
  const error = { name, message, stack: at === undefined ? '' : `(${handler}:${at})` };
  return `(function(){throw ${JSON.stringify(error)}})`;
}
