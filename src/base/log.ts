import type { Clock } from './clock.ts'

export type Level = 'debug' | 'info' | 'warn' | 'error'

/** A log of events with fields. Never pass it request or response content, nor a secret. */
export interface Log {
  write(level: Level, message: string, fields?: Fields): void
}

export interface Fields {
  readonly [name: string]: string | number | boolean | undefined
}

const ORDER: Record<Level, number> = { debug: 0, info: 1, warn: 2, error: 3 }

/** One JSON object a line: `at` (ISO 8601), `level`, `message`, then the fields. `least` is asked at
 *  every line. */
export function jsonLog(clock: Clock, least: () => Level, writeLine: (line: string) => void): Log {
  return {
    write(level, message, fields) {
      if (ORDER[level] < ORDER[least()]) return
      writeLine(JSON.stringify({ at: new Date(clock.wallMs()).toISOString(), level, message, ...fields }))
    },
  }
}

export const silentLog: Log = { write: () => {} }
