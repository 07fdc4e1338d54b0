import type { Connection } from './connection.ts'

/** One timer for all connections of a listener: setting a deadline costs a number, where a timer for
 *  each would cost a list. Deadlines are seconds and more, so looking at all of them now and then is
 *  exact enough. */
export class Deadlines {
  readonly #connections = new Set<Connection>()
  readonly #timer: NodeJS.Timeout

  constructor(checkMs: number, nowMs: () => number) {
    this.#timer = setInterval(() => {
      const now = nowMs()
      for (const connection of this.#connections) if (connection.deadlineMs <= now) connection.expire()
    }, checkMs)
    this.#timer.unref()
  }

  get connections(): ReadonlySet<Connection> {
    return this.#connections
  }

  add(connection: Connection): void {
    this.#connections.add(connection)
  }

  delete(connection: Connection): void {
    this.#connections.delete(connection)
  }

  stop(): void {
    clearInterval(this.#timer)
  }
}
