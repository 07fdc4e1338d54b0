import { accepts, type Filter } from '../../store/filter.ts'
import type { SegmentSections } from './segment-format.ts'

/** A filter made ready for the chunks of one segment: every value is looked at once, then each
 *  chunk's number of it. */
export class SegmentFilter {
  readonly #root: Node

  constructor(sections: SegmentSections, filter: Filter) {
    this.#root = prepare(sections, filter)
  }

  /** One byte per chunk of [first, end), from 0 on: 1 where it fits. Returns how many do. */
  fill(first: number, end: number, fits: Uint8Array): number {
    return this.#root(first, end, fits)
  }
}

type Node = (first: number, end: number, fits: Uint8Array) => number

type Leaf = Extract<Filter, { op: 'in' | 'range' }>

function prepare(sections: SegmentSections, filter: Filter): Node {
  switch (filter.op) {
    case 'and':
      return all(filter.filters.map((one) => prepare(sections, one)))
    case 'or':
      return any(filter.filters.map((one) => prepare(sections, one)))
    case 'not':
      return none(prepare(sections, filter.filter))
    case 'in':
    case 'range':
      return leaf(sections, filter)
  }
}

function all(nodes: readonly Node[]): Node {
  let own = new Uint8Array(0)
  return (first, end, fits) => {
    const chunks = end - first
    if (own.length < chunks) own = new Uint8Array(chunks)
    fits.fill(1, 0, chunks)
    let count = chunks
    for (const node of nodes) {
      if (count === 0) break
      node(first, end, own)
      count = 0
      for (let at = 0; at < chunks; at++) count += fits[at] = (fits[at] ?? 0) & (own[at] ?? 0)
    }
    return count
  }
}

function any(nodes: readonly Node[]): Node {
  let own = new Uint8Array(0)
  return (first, end, fits) => {
    const chunks = end - first
    if (own.length < chunks) own = new Uint8Array(chunks)
    fits.fill(0, 0, chunks)
    let count = 0
    for (const node of nodes) {
      if (node(first, end, own) === 0) continue
      count = 0
      for (let at = 0; at < chunks; at++) count += fits[at] = (fits[at] ?? 0) | (own[at] ?? 0)
    }
    return count
  }
}

function none(node: Node): Node {
  return (first, end, fits) => {
    const chunks = end - first
    const count = node(first, end, fits)
    for (let at = 0; at < chunks; at++) fits[at] = 1 - (fits[at] ?? 0)
    return chunks - count
  }
}

function leaf({ meta, attributeValues }: SegmentSections, filter: Leaf): Node {
  const row = meta.attributes.findIndex(({ name }) => name === filter.name)
  const values = meta.attributes[row]?.values ?? []
  const accepted = Uint8Array.from([0, ...values.map((value) => Number(accepts(filter, value)))])
  if (!accepted.includes(1))
    return (first, end, fits) => {
      fits.fill(0, 0, end - first)
      return 0
    }
  return (first, end, fits) => {
    const base = row * meta.chunks + first
    let count = 0
    for (let at = 0; at < end - first; at++) count += fits[at] = accepted[attributeValues[base + at] ?? 0] ?? 0
    return count
  }
}
