{{- define "dupwatch.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* Of the release; of one of its databases with that one's name behind it. */}}
{{- define "dupwatch.fullname" -}}
{{- $name := printf "%s-%s" .Release.Name (include "dupwatch.name" .) -}}
{{- if .Values.fullnameOverride -}}
{{- $name = .Values.fullnameOverride -}}
{{- else if contains (include "dupwatch.name" .) .Release.Name -}}
{{- $name = .Release.Name -}}
{{- end -}}
{{- if .database -}}
{{- printf "%s-%s" ($name | trunc 30 | trimSuffix "-") .database -}}
{{- else -}}
{{- $name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "dupwatch.selectorLabels" -}}
app.kubernetes.io/name: {{ include "dupwatch.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- with .database }}
app.kubernetes.io/component: {{ . }}
{{- end }}
{{- end -}}

{{- define "dupwatch.labels" -}}
{{ include "dupwatch.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{/* Labels and annotations of an object: those of the chart, the common ones, and its own. */}}
{{- define "dupwatch.meta" -}}
{{- $values := .scope.Values -}}
labels:
  {{- merge (include "dupwatch.labels" .scope | fromYaml) (default dict .labels) $values.commonLabels | toYaml | nindent 2 }}
{{- with merge (dict) (default dict .annotations) $values.commonAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Puts what `over` has into `on`: all of it, also what is empty, which mergeOverwrite would leave out. */}}
{{- define "dupwatch.overlay" -}}
{{- range $key, $value := .over -}}
{{- if and (kindIs "map" $value) (kindIs "map" (get $.on $key)) -}}
{{- include "dupwatch.overlay" (dict "on" (get $.on $key) "over" $value) -}}
{{- else -}}
{{- $_ := set $.on $key $value -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Fills `scope`: the root, with the values of one database, which `databases` has, over those of the release. */}}
{{- define "dupwatch.scope" -}}
{{- $values := deepCopy .root.Values -}}
{{- if .database -}}
{{- include "dupwatch.overlay" (dict "on" $values "over" (omit .database "name")) -}}
{{- $slot := default dict $values.config.slot -}}
{{- if not (dig "config" "slot" "name" "" .database) -}}
{{- $_ := set $slot "name" (printf "%s_%s" (default "dupwatch" $slot.name) (replace "-" "_" .database.name)) -}}
{{- end -}}
{{- $_ := set $values.config "slot" $slot -}}
{{- $_ := set .scope "database" .database.name -}}
{{- end -}}
{{- $_ := set .scope "Values" $values -}}
{{- range $name := list "Release" "Chart" "Capabilities" "Files" "Template" -}}
{{- $_ := set $.scope $name (get $.root $name) -}}
{{- end -}}
{{- end -}}

{{/* What Prometheus is asked to do with the scraped, of the section `monitor`; `source` is where the labels come from. */}}
{{- define "dupwatch.endpoint" -}}
port: http
path: /metrics
interval: {{ .monitor.interval }}
scrapeTimeout: {{ .monitor.scrapeTimeout }}
{{- $relabelings := list -}}
{{- if ne (include "dupwatch.name" .root) "dupwatch" -}}
{{- $relabelings = append $relabelings (dict "targetLabel" "job" "replacement" "dupwatch") -}}
{{- end -}}
{{- if .root.Values.databases -}}
{{- $relabelings = append $relabelings (dict "sourceLabels" (list (printf "__meta_kubernetes_%s_label_app_kubernetes_io_component" .source)) "targetLabel" "database") -}}
{{- end -}}
{{- with concat $relabelings .monitor.relabelings }}
relabelings:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .monitor.metricRelabelings }}
metricRelabelings:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.httpAuth.existingSecret }}
basicAuth:
  username:
    name: {{ . }}
    key: username
  password:
    name: {{ . }}
    key: password
{{- end }}
{{- end -}}

{{/* Where a monitor is, and where what it selects is. */}}
{{- define "dupwatch.monitorNamespace" -}}
{{- with .monitor.namespace }}
namespace: {{ . }}
{{- end }}
{{- end -}}

{{- define "dupwatch.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- $release := dict "Values" .Values "Release" .Release "Chart" .Chart -}}
{{- default (include "dupwatch.fullname" $release) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "dupwatch.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{/* dupwatch.yaml: what config says, with the port of the chart and its login, so that probes and configuration agree. */}}
{{- define "dupwatch.config" -}}
{{- $config := deepCopy .Values.config -}}
{{- if not (dig "connection" "dsn" "" $config) -}}
{{- if not (or .Values.extraEnv .Values.extraEnvFrom) -}}
{{- fail "config.connection.dsn is empty: set it, e.g. --set config.connection.dsn='host=app-rw dbname=app user=dupwatch'" -}}
{{- end -}}
{{- end -}}
{{- $http := dict "listen" (printf ":%d" (int .Values.port)) -}}
{{- if .Values.httpAuth.existingSecret -}}
{{- $_ := set $http "basic_auth" (dict "user" "${DUPWATCH_HTTP_USER}" "password_file" "/run/secrets/dupwatch-http/password") -}}
{{- end -}}
{{- mustMergeOverwrite $config (dict "http" $http) | toYaml -}}
{{- end -}}

{{- define "dupwatch.env" -}}
{{- with .Values.database }}
{{- if and .existingSecret .serviceFileKey }}
- name: PGSERVICEFILE
  value: /run/secrets/dupwatch-database/pg_service.conf
{{- else if .existingSecret }}
- name: PGPASSWORD
  valueFrom:
    secretKeyRef:
      name: {{ .existingSecret }}
      key: {{ .passwordKey }}
{{- end }}
{{- end }}
{{- with .Values.httpAuth.existingSecret }}
- name: DUPWATCH_HTTP_USER
  valueFrom:
    secretKeyRef:
      name: {{ . }}
      key: username
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "dupwatch.volumeMounts" -}}
- name: config
  mountPath: /etc/dupwatch
  readOnly: true
{{- if and .Values.database.existingSecret .Values.database.serviceFileKey }}
- name: database
  mountPath: /run/secrets/dupwatch-database
  readOnly: true
{{- end }}
{{- if .Values.database.caSecret }}
- name: ca
  mountPath: /run/secrets/dupwatch-ca
  readOnly: true
{{- end }}
{{- if .Values.httpAuth.existingSecret }}
- name: http-auth
  mountPath: /run/secrets/dupwatch-http
  readOnly: true
{{- end }}
{{- if .Values.findingsVolume }}
- name: findings
  mountPath: /var/lib/dupwatch
{{- end }}
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* A file of a Secret belongs to root; 0440 and the fsGroup let the account of dupwatch read it, and nobody else. */}}
{{- define "dupwatch.volumes" -}}
- name: config
  configMap:
    name: {{ include "dupwatch.fullname" . }}
{{- if and .Values.database.existingSecret .Values.database.serviceFileKey }}
- name: database
  secret:
    secretName: {{ .Values.database.existingSecret }}
    defaultMode: 288 # 0440; with this number YAML 1.2 and 1.1 agree
    items:
      - key: {{ .Values.database.serviceFileKey }}
        path: pg_service.conf
{{- end }}
{{- with .Values.database.caSecret }}
- name: ca
  secret:
    secretName: {{ . }}
    defaultMode: 288 # 0440; with this number YAML 1.2 and 1.1 agree
    items:
      - key: {{ $.Values.database.caKey }}
        path: ca.crt
{{- end }}
{{- with .Values.httpAuth.existingSecret }}
- name: http-auth
  secret:
    secretName: {{ . }}
    defaultMode: 288 # 0440; with this number YAML 1.2 and 1.1 agree
    items:
      - key: password
        path: password
{{- end }}
{{- with .Values.findingsVolume }}
- name: findings
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}
