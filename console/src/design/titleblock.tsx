import type { ReactNode } from 'react'
import './titleblock.css'

/** The title block of a drawing: what is to be known about it, in cells between hairlines. Six
 *  units wide, two on a narrow screen. */
export function TitleBlock({ label, children }: { label: string; children: ReactNode }) {
  return (
    <dl className="titleblock" aria-label={label}>
      {children}
    </dl>
  )
}

interface CellProps {
  readonly name: string
  /** Units of the width: the cells of a row make six. */
  readonly span?: 1 | 2 | 3 | 4 | 6
  readonly title?: string
  /** Nothing: not known, or not yet. */
  readonly children: ReactNode
}

export function Cell({ name, span = 1, title, children }: CellProps) {
  return (
    <div data-span={span} title={title || undefined}>
      <dt className="label">{name}</dt>
      <dd className="figure">{children || <span className="minor">–</span>}</dd>
    </div>
  )
}
