// The Accept header of /statusz and /flagz → which form the answer takes (KEP-4827, KEP-4828). Pure.
// Text is for people; the structured form is given only to who names its version, since it may change.

export type ZpageForm =
  | { readonly form: 'text' }
  | { readonly form: 'json' | 'yaml'; readonly version: StructuredVersion }
  | { readonly form: 'none' }

export type StructuredVersion = 'v1alpha1' | 'v1beta1'

const group = 'config.k8s.io'
const versions: readonly StructuredVersion[] = ['v1alpha1', 'v1beta1']

interface MediaRange {
  readonly type: string
  readonly parameters: ReadonlyMap<string, string>
  readonly quality: number
}

/** @param kind `Statusz` or `Flagz`, what `as=` has to say. */
export function negotiate(accept: string | undefined, kind: 'Statusz' | 'Flagz'): ZpageForm {
  if (accept === undefined || accept.trim() === '') return { form: 'text' }
  const wanted = accept
    .split(',')
    .map(parseRange)
    .filter(({ quality }) => quality > 0)
    .sort((one, other) => other.quality - one.quality)
  for (const range of wanted) {
    const form = formOf(range, kind)
    if (form !== undefined) return form
  }
  return { form: 'none' }
}

/** What may stand in Accept, for an answer that refuses. */
export function acceptable(kind: 'Statusz' | 'Flagz'): readonly string[] {
  const structured = ['json', 'yaml'].flatMap(type =>
    versions.map(version => `application/${type};v=${version};g=${group};as=${kind}`),
  )
  return ['text/plain', ...structured]
}

function formOf({ type, parameters }: MediaRange, kind: string): ZpageForm | undefined {
  if (['*/*', 'text/*', 'text/plain'].includes(type)) return { form: 'text' }
  const form = type === 'application/json' ? 'json' : type === 'application/yaml' ? 'yaml' : undefined
  const version = versions.find(known => known === parameters.get('v'))
  if (form === undefined || version === undefined) return undefined
  return parameters.get('g') === group && parameters.get('as') === kind ? { form, version } : undefined
}

function parseRange(text: string): MediaRange {
  const [type = '', ...rest] = text.split(';').map(part => part.trim())
  const parameters = new Map(
    rest.map(part => {
      const [name = '', value = ''] = part.split('=', 2).map(side => side.trim())
      return [name.toLowerCase(), value.replace(/^"|"$/g, '')] as const
    }),
  )
  const quality = Number(parameters.get('q') ?? 1)
  return { type: type.toLowerCase(), parameters, quality: Number.isFinite(quality) ? quality : 0 }
}
