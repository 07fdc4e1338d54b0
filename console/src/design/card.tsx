import type { HTMLAttributes, ReactNode } from 'react'
import './card.css'

interface Props extends HTMLAttributes<HTMLElement> {
  /** What the card is about; drawn as its head. */
  readonly head?: ReactNode
  /** Stands out, because something elsewhere points here. */
  readonly active?: boolean
  readonly children: ReactNode
}

export function Card({ head, active, children, className, ...rest }: Props) {
  return (
    <article className={`card ${className ?? ''}`} data-active={active || undefined} {...rest}>
      {head !== undefined && <header className="card-head">{head}</header>}
      {children}
    </article>
  )
}
