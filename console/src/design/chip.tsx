import type { AnchorHTMLAttributes } from 'react'
import './chip.css'

interface CitationProps extends AnchorHTMLAttributes<HTMLAnchorElement> {
  readonly number: number
  readonly title: string
  readonly active?: boolean
}

/** `[1]` in an answer: leads to its source. */
export function CitationChip({ number, title, active, ...rest }: CitationProps) {
  return (
    <a
      className="citation"
      data-active={active || undefined}
      aria-label={`Source ${number}: ${title}`}
      title={title}
      {...rest}
    >
      {number}
    </a>
  )
}
