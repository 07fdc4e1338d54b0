/** A unified diff as lines to be drawn, under each other or side by side. */

export interface Line {
  /** `gap`: lines that are the same were left out before it. */
  readonly kind: 'same' | 'added' | 'removed' | 'gap'
  readonly text: string
  /** Numbers of the line in the old text and in the new; undefined where it is not in it. */
  readonly from?: number
  readonly to?: number
}

/** What stands beside each other; undefined: nothing does. */
export interface Pair {
  readonly left: Line | undefined
  readonly right: Line | undefined
}

const HUNK = /^@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@/

/** Lines of a patch of one file; its head and its remarks say nothing that is drawn. */
export function linesOf(patch: string): Line[] {
  const lines: Line[] = []
  let [from, to] = [0, 0]
  for (const line of patch.split('\n')) {
    const hunk = HUNK.exec(line)
    if (hunk !== null) {
      const [nextFrom, nextTo] = [Number(hunk[1]), Number(hunk[2])]
      if (lines.length > 0 || nextFrom > 1) lines.push({ kind: 'gap', text: '' })
      from = nextFrom
      to = nextTo
    } else if (from > 0 || to > 0) {
      const text = line.slice(1)
      if (line.startsWith('+')) lines.push({ kind: 'added', text, to: to++ })
      else if (line.startsWith('-')) lines.push({ kind: 'removed', text, from: from++ })
      else if (line.startsWith(' ')) lines.push({ kind: 'same', text, from: from++, to: to++ })
    }
  }
  return lines
}

/** Lines that were removed stand beside those that were added in their place. */
export function pairsOf(lines: readonly Line[]): Pair[] {
  const pairs: Pair[] = []
  let removed: Line[] = []
  let added: Line[] = []
  const flush = () => {
    for (let at = 0; at < Math.max(removed.length, added.length); at++)
      pairs.push({ left: removed[at], right: added[at] })
    removed = []
    added = []
  }
  for (const line of lines) {
    if (line.kind === 'removed') removed.push(line)
    else if (line.kind === 'added') added.push(line)
    else {
      flush()
      pairs.push({ left: line, right: line })
    }
  }
  flush()
  return pairs
}
