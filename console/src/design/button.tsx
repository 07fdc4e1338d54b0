import type { ButtonHTMLAttributes, ReactNode } from 'react'
import './button.css'
import { Icon, type IconName } from './icon.tsx'

interface Props extends ButtonHTMLAttributes<HTMLButtonElement> {
  /** `primary`: the one thing to do here. `plain`: other things. `quiet`: in passing. `danger`: what
   *  cannot be taken back. */
  readonly kind?: 'primary' | 'plain' | 'quiet' | 'danger'
  readonly icon?: IconName
  /** Absent: an icon alone, which then needs `aria-label`. */
  readonly children?: ReactNode
}

export function Button({ kind = 'plain', icon, children, className, ...rest }: Props) {
  return (
    <button
      type="button"
      className={`button ${className ?? ''}`}
      data-kind={kind}
      data-bare={children === undefined || undefined}
      {...rest}
    >
      {icon !== undefined && <Icon name={icon} />}
      {children !== undefined && <span>{children}</span>}
    </button>
  )
}
