import type { Example, Found } from '../api/collections.ts'
import { Name } from '../design/name.tsx'
import { movesOf, moveText, type Move } from './moves.ts'

/** Ranks before and after, lines between them. */
export function Moves({ example, live, other }: { example: Example; live: string; other: string }) {
  const moves = movesOf(example.live, example.other)
  const rows = Math.max(example.live.length, example.other.length, 1)
  return (
    <div className="moves" style={{ '--rows': rows }}>
      <List label={live} found={example.live} />
      <svg className="moves-lines" viewBox={`0 0 10 ${rows}`} preserveAspectRatio="none" aria-hidden="true">
        {moves.map((move) => (
          <Line key={move.key} move={move} />
        ))}
      </svg>
      <List
        label={other}
        found={example.other}
        remarks={moves
          .filter(({ after }) => after !== undefined)
          .toSorted((a, b) => (a.after ?? 0) - (b.after ?? 0))
          .map(moveText)}
      />
    </div>
  )
}

function Line({ move: { before, after } }: { move: Move }) {
  if (before === undefined || after === undefined) {
    const y = (before ?? after ?? 1) - 0.5
    const [from, to] = before === undefined ? [7.5, 10] : [0, 2.5]
    return <path className="moves-line" data-way={before === undefined ? 'new' : 'gone'} d={`M${from} ${y}H${to}`} />
  }
  const way = before === after ? 'same' : before > after ? 'up' : 'down'
  return <path className="moves-line" data-way={way} d={`M0 ${before - 0.5}L10 ${after - 0.5}`} />
}

interface ListProps {
  readonly label: string
  readonly found: readonly Found[]
  /** Of each, what became of it. */
  readonly remarks?: readonly string[]
}

function List({ label, found, remarks }: ListProps) {
  if (found.length === 0) return <p className="moves-list minor">{label} finds nothing</p>
  return (
    <ol className="moves-list" aria-label={label}>
      {found.map((one, at) => (
        <li key={at}>
          <span className="minor figure">{at + 1}</span>
          <Name>{one.title}</Name>
          {remarks !== undefined && remarks[at] !== 'same' && (
            <span className="moves-remark figure">{remarks[at]}</span>
          )}
        </li>
      ))}
    </ol>
  )
}
