'use strict';
/**
 * Loaded into a process before anything else: the time of day is what it is, and what the file says, in milliseconds. Timers and
 * `performance.now()` go on as they do when somebody sets a clock. What it goes by is written beside the file.
 */
const { readFileSync, writeFileSync } = require('node:fs');
const { isMainThread } = require('node:worker_threads');

const file = process.env.MOVING_CLOCK_FILE;
const TrueDate = Date;
let movedByMs = 0;
const now = () => TrueDate.now() + movedByMs;

const MovedDate = new Proxy(TrueDate, {
  construct: (target, args, made) => Reflect.construct(target, args.length === 0 ? [now()] : args, made === MovedDate ? target : made),
  apply: () => new TrueDate(now()).toString(),
  get: (target, name) => (name === 'now' ? now : Reflect.get(target, name)),
});
TrueDate.prototype.constructor = MovedDate;
globalThis.Date = MovedDate;

function look() {
  const wanted = Number(readFileSync(file, 'utf8'));
  if (wanted === movedByMs) return;
  movedByMs = wanted;
  if (isMainThread) writeFileSync(`${file}.${process.pid}`, String(movedByMs));
}

look();
setInterval(look, 20).unref();
