import { type Random, seededRandom, uniform } from '../src/base/random.ts'

/** Seeded choices. Every actor of a run rolls its own dice, forked by name, so that taking one
 *  actor out of a scenario leaves the fate of the others as it was: what makes shrinking work. */
export class Dice {
  readonly #seed: number
  readonly #random: Random

  constructor(seed: number) {
    this.#seed = seed >>> 0
    this.#random = seededRandom(this.#seed)
  }

  /** Independent dice for `name`; the same ones whenever asked. */
  fork(name: string): Dice {
    let hash = this.#seed ^ 0x811c9dc5
    for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193)
    return new Dice(hash)
  }

  /** An integer, both ends included. */
  int(least: number, most: number): number {
    return least + Math.floor(uniform(this.#random) * (most - least + 1))
  }

  chance(probability: number): boolean {
    return uniform(this.#random) < probability
  }

  pick<Item>(items: readonly Item[]): Item {
    const item = items[this.int(0, items.length - 1)]
    if (item === undefined) throw new RangeError('nothing to pick from')
    return item
  }

  /** One of the names, each as likely as its weight says. */
  weighted<Name extends string>(weights: { readonly [name in Name]: number }): Name {
    const names = Object.keys(weights) as Name[]
    let left = uniform(this.#random) * names.reduce((sum, name) => sum + weights[name], 0)
    for (const name of names) if ((left -= weights[name]) < 0) return name
    return this.pick(names)
  }

  /** Milliseconds of a wait: mostly none or little, seldom long. */
  delayMs(): number {
    const roll = this.int(0, 15)
    if (roll < 7) return 0
    if (roll < 13) return this.int(1, 3)
    return roll < 15 ? this.int(4, 20) : this.int(20, 120)
  }
}
