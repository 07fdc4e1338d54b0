import { useState, type ReactNode } from 'react'
import { Button } from './button.tsx'
import { CopyText } from './copy.tsx'
import { Icon } from './icon.tsx'
import { Sentence } from './sentence.tsx'
import './state.css'

interface EmptyProps {
  readonly title: string
  readonly children: ReactNode
}

/** Nothing here yet: says what would be, and how to get it. */
export function EmptyState({ title, children }: EmptyProps) {
  return (
    <section className="state">
      <h2>{title}</h2>
      {children}
    </section>
  )
}

/** A command to be run elsewhere. */
export function Command({ children }: { children: string }) {
  return (
    <div className="command">
      <code>{children}</code>
      <CopyText text={children} what="the command" />
    </div>
  )
}

interface ErrorProps {
  readonly title: string
  /** What happened and what to do. */
  readonly message: string
  readonly code: string
  readonly requestId?: string | undefined
  readonly onRetry?: (() => void) | undefined
  /** Where to read more. */
  readonly more?: ReactNode
}

/** Something failed: what, why, what to do, and the number to quote when asking for help. */
export function ErrorState({ title, message, code, requestId, onRetry, more }: ErrorProps) {
  const [wasRetried, setRetried] = useState(false)
  return (
    <section className="state" data-tone="danger" role="alert">
      <h2>
        <Icon name="warn" />
        {title}
      </h2>
      <p className="state-message">
        <Sentence text={message} />
      </p>
      <div className="state-foot">
        {onRetry !== undefined && (
          <Button
            icon="retry"
            disabled={wasRetried}
            onClick={() => {
              setRetried(true)
              onRetry()
              setTimeout(() => setRetried(false), 600)
            }}
          >
            Try again
          </Button>
        )}
        <dl className="state-facts">
          <div>
            <dt className="label">Code</dt>
            <dd>
              <code>{code}</code>
            </dd>
          </div>
          {requestId !== undefined && (
            <div>
              <dt className="label">Request</dt>
              <dd>
                <code>{requestId}</code>
                <CopyText text={requestId} what="the request id" />
              </dd>
            </div>
          )}
        </dl>
        {more}
      </div>
    </section>
  )
}

/** A remark on what stands beside it. */
export function Notice({
  tone = 'plain',
  title,
  children,
}: {
  tone?: 'plain' | 'caution'
  title: string
  children?: ReactNode
}) {
  return (
    <aside className="notice" data-tone={tone}>
      <strong>{title}</strong>
      {children !== undefined && <span>{children}</span>}
    </aside>
  )
}
