{{- define "dupwatch.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "dupwatch.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else if contains (include "dupwatch.name" .) .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "dupwatch.name" .) | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "dupwatch.selectorLabels" -}}
app.kubernetes.io/name: {{ include "dupwatch.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "dupwatch.labels" -}}
{{ include "dupwatch.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "dupwatch.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "dupwatch.fullname" .) .Values.serviceAccount.name -}}
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
