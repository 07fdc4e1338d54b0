/** What a client knows of the documents it sent: which are acknowledged, which are gone, and of which
 *  it never heard. */
import { createHash } from 'node:crypto'
import { type Random, uniform } from '../../src/base/random.ts'
import { uniqueWord } from '../kit/hashed-embeddings.ts'

/** One version of a document, found by a word that nothing else has. */
export interface Version {
  readonly word: string
  readonly text: string
  readonly contentHash: string
}

export interface Pushed {
  readonly collection: string
  readonly id: string
  /** Acknowledged last: undefined where the document is not there. */
  held: Version | undefined
  /** Asked for and never answered: any of them may be there in its place. */
  open: (Version | undefined)[]
  isBusy: boolean
  /** Replaced or deleted before: must not be found any more. */
  former: Version | undefined
  /** Grows with every change. */
  changes: number
}

const TEXT_WORDS = 40
const VOCABULARY = 4_000

export class PushedDocuments {
  readonly all: readonly Pushed[]
  readonly #random: Random
  #versions = 0

  constructor(collections: readonly string[], each: number, random: Random) {
    this.#random = random
    this.all = collections.flatMap((collection) =>
      Array.from({ length: each }, (_, at) => ({
        collection,
        id: `d${at}`,
        held: undefined,
        open: [],
        isBusy: false,
        former: undefined,
        changes: 0,
      })),
    )
  }

  of(collection: string): Pushed[] {
    return this.all.filter((one) => one.collection === collection)
  }

  /** Nobody else is changing them. */
  idle(collection: string, count: number, fits: (one: Pushed) => boolean): Pushed[] {
    const idle = this.of(collection).filter((one) => !one.isBusy && fits(one))
    const from = Math.floor(uniform(this.#random) * Math.max(1, idle.length - count))
    return idle.slice(from, from + count)
  }

  /** Words of its own and others' by chance: never so like another that the two pass for one. */
  version(): Version {
    const word = uniqueWord(this.#versions++)
    const others = Array.from({ length: TEXT_WORDS }, () => `w${Math.floor(uniform(this.#random) * VOCABULARY)}`)
    const text = `The document ${word} says ${others.join(' ')}.`
    return { word, text, contentHash: createHash('sha256').update(text).digest('hex') }
  }
}

/** It may be there from now on, or be gone. */
export function begin(one: Pushed, version: Version | undefined): void {
  one.isBusy = true
  one.changes++
  one.open.push(version)
}

export function acknowledge(one: Pushed, version: Version | undefined): void {
  one.former = one.held ?? one.former
  one.held = version
  one.open = []
  one.isBusy = false
  one.changes++
}

/** Nothing of it was taken; or else there was no answer. */
export function giveUp(one: Pushed, isRefused: boolean): void {
  if (isRefused) one.open.pop()
  one.isBusy = false
}
