import './tier.css'

export type Tone = 'good' | 'caution' | 'danger' | undefined

/** How something stands, in a word or two. */
export function Tier({ tone, children }: { tone?: Tone; children: string }) {
  return (
    <span className="tier" data-tone={tone}>
      {children}
    </span>
  )
}
