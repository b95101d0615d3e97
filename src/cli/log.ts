// The daemon's log: JSON lines, or a human form on a terminal. One line a sync, never one a rule.
import { createRequire } from 'node:module'
import pino, { type Logger } from 'pino'
import type { LoggingSettings } from '../config/config.ts'

export type { Logger } from 'pino'

export function createLogger({ format, verbosity }: LoggingSettings): Logger {
  const human = format === 'text' || (format === 'auto' && process.stdout.isTTY)
  const level = verbosity >= 4 ? 'trace' : verbosity >= 2 ? 'debug' : 'info'
  const options = {
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  }
  if (!human) return pino({ level, ...options }, pino.destination({ dest: 1, sync: true }))
  // Loaded only where a person reads along.
  const pretty = loadPretty()
  const stream = pretty({ sync: true, translateTime: 'SYS:HH:MM:ss.l', colorize: process.stdout.isTTY, singleLine: true })
  return pino({ level, ...options }, stream)
}

/** For a command that answers on standard output: warnings and errors alone, a plain line each, on standard error. */
export function createPlainLogger(): Logger {
  const write = (line: string): void => {
    const { level, msg } = JSON.parse(line) as { readonly level: string; readonly msg: string }
    process.stderr.write(`switchyard: ${level === 'warn' ? 'warning: ' : ''}${msg}\n`)
  }
  return pino({ level: 'warn', base: null, formatters: { level: label => ({ level: label }) } }, { write })
}

/** The bundler sees only a plain `require`, and the bundle has one; from a checkout no ES module has. */
function loadPretty(): typeof import('pino-pretty') {
  return typeof require === 'function' ? require('pino-pretty') : createRequire(import.meta.url)('pino-pretty')
}
