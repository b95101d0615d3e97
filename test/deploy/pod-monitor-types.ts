// The part of the Prometheus operator's PodMonitor (monitoring.coreos.com/v1) that a manifest of ours may use, in the form of
// openapi.ts. The type has more; a field that is not listed here has to be looked up in the operator's API reference first.
import type { Attribute } from './openapi.ts'

function required(name: string, type: string): Attribute {
  return { name, type, required: true, format: '' }
}

function optional(name: string, type: string, format = ''): Attribute {
  return { name, type, required: false, format }
}

export const podMonitorTypes: Readonly<Record<string, readonly Attribute[]>> = {
  PodMonitor: [
    required('apiVersion', 'string'),
    required('kind', 'string'),
    required('metadata', 'V1ObjectMeta'),
    required('spec', 'PodMonitorSpec'),
  ],
  PodMonitorSpec: [
    required('selector', 'V1LabelSelector'),
    required('podMetricsEndpoints', 'Array<PodMetricsEndpoint>'),
    optional('jobLabel', 'string'),
    optional('podTargetLabels', 'Array<string>'),
    optional('sampleLimit', 'number', 'int64'),
  ],
  PodMetricsEndpoint: [
    optional('port', 'string'),
    optional('path', 'string'),
    optional('scheme', 'string'),
    optional('interval', 'string'),
    optional('scrapeTimeout', 'string'),
    optional('honorLabels', 'boolean'),
    optional('relabelings', 'Array<RelabelConfig>'),
    optional('metricRelabelings', 'Array<RelabelConfig>'),
  ],
  RelabelConfig: [
    optional('sourceLabels', 'Array<string>'),
    optional('separator', 'string'),
    optional('targetLabel', 'string'),
    optional('regex', 'string'),
    optional('replacement', 'string'),
    optional('action', 'string'),
  ],
}
