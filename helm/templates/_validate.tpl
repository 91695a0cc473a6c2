{{/* What no schema can say. All that is wrong is said at once, each with the value that is to be changed. */}}
{{- define "registry.validate" -}}
{{- $v := .Values -}}
{{- $wrong := list -}}

{{- if not $v.config.server.insecure_no_auth -}}
{{- $wrong = append $wrong "config.server.insecure_no_auth: there is no authentication yet: whoever reaches the port may do everything. Set it to true to say that you know, and keep others out (networkPolicy)." -}}
{{- end -}}

{{- range list (list "database" "url" "databaseUrl") (list "secrets" "key" "secretsKey") (list "email" "password" "emailPassword") -}}
{{- $section := index . 0 }}{{ $setting := index . 1 }}{{ $name := index . 2 -}}
{{- $file := printf "%s_file" $setting -}}
{{- $given := list -}}
{{- if get (get $v.secrets $name) "existingSecret" }}{{ $given = append $given (printf "secrets.%s.existingSecret" $name) }}{{ end -}}
{{- if dig $section $setting "" $v.config }}{{ $given = append $given (printf "config.%s.%s" $section $setting) }}{{ end -}}
{{- if dig $section $file "" $v.config }}{{ $given = append $given (printf "config.%s.%s" $section $file) }}{{ end -}}
{{- if gt (len $given) 1 -}}
{{- $wrong = append $wrong (printf "%s: say it in one place" (join ", " $given)) -}}
{{- end -}}
{{- if eq $name "databaseUrl" -}}
{{- range $v.extraEnv -}}
{{- if has .name (list "SUBPROCESSOR_REGISTRY__DATABASE__URL" "SUBPROCESSOR_REGISTRY__DATABASE__URL_FILE") -}}
{{- $given = append $given "extraEnv" -}}
{{- end -}}
{{- end -}}
{{- if and $v.persistence.enabled $given -}}
{{- $wrong = append $wrong (printf "persistence.enabled: is for the embedded database, not together with %s" (first $given)) -}}
{{- else if not (or $v.persistence.enabled $given) -}}
{{- $wrong = append $wrong "secrets.databaseUrl.existingSecret: name the Secret with the URL of PostgreSQL, or set persistence.enabled for the embedded database" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- if $v.persistence.enabled -}}
{{- if $v.autoscaling.enabled -}}
{{- $wrong = append $wrong "autoscaling.enabled: the embedded database has one pod; use PostgreSQL" -}}
{{- end -}}
{{- if gt (int $v.replicas) 1 -}}
{{- $wrong = append $wrong (printf "replicas: the embedded database has one pod, not %d; use PostgreSQL, or set it to 1" (int $v.replicas)) -}}
{{- end -}}
{{- end -}}
{{- if and $v.autoscaling.enabled (lt (int $v.autoscaling.maxReplicas) (int $v.autoscaling.minReplicas)) -}}
{{- $wrong = append $wrong "autoscaling.maxReplicas: is less than minReplicas" -}}
{{- end -}}

{{- if eq (include "registry.grpcPort" .) (include "registry.metricsPort" .) -}}
{{- $wrong = append $wrong "config.telemetry.metrics_listen: needs a port of its own, or whoever reaches the services reaches /metrics" -}}
{{- end -}}
{{- if and $v.migration.databaseUrl.existingSecret (ne $v.migration.mode "job") -}}
{{- $wrong = append $wrong "migration.databaseUrl.existingSecret: needs migration.mode: job; in the pods themselves it would be within reach of the server" -}}
{{- end -}}
{{- if and $v.migration.databaseUrl.existingSecret (not $v.secrets.databaseUrl.existingSecret) (not (dig "database" "url" "" $v.config)) -}}
{{- $wrong = append $wrong "migration.databaseUrl.existingSecret: needs secrets.databaseUrl.existingSecret, by which the others serve" -}}
{{- end -}}

{{- if dig "email" "smtp_host" "" $v.config -}}
{{- if not (dig "email" "from" "" $v.config) -}}
{{- $wrong = append $wrong "config.email.from: name whom mails are from" -}}
{{- end -}}
{{- if not (dig "web" "public_url" "" $v.config) -}}
{{- $wrong = append $wrong "config.web.public_url: name the address of the pages: links in mails begin with it" -}}
{{- end -}}
{{- end -}}

{{- range $where, $paths := dict "ingress.pages.paths" $v.ingress.pages.paths "gateway.httpRoute.paths" $v.gateway.httpRoute.paths -}}
{{- range $paths -}}
{{- if or (eq . "/") (eq . "/internal") (hasPrefix "/internal/" .) (hasPrefix "/subprocessor.registry." .) -}}
{{- $wrong = append $wrong (printf "%s: %s would show more than the public pages" $where .) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- range $kind := list "pages" "grpc" -}}
{{- with index $v.ingress $kind -}}
{{- if and .enabled (not .hosts) -}}
{{- $wrong = append $wrong (printf "ingress.%s.hosts: name at least one host" $kind) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- range $kind := list "httpRoute" "grpcRoute" -}}
{{- with index $v.gateway $kind -}}
{{- if and .enabled (not .parentRefs) -}}
{{- $wrong = append $wrong (printf "gateway.%s.parentRefs: name at least one Gateway" $kind) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- with $v.certificate -}}
{{- if .enabled -}}
{{- if not .secretName }}{{ $wrong = append $wrong "certificate.secretName: name the Secret it fills" }}{{ end -}}
{{- if not .issuerRef.name }}{{ $wrong = append $wrong "certificate.issuerRef.name: name who issues it" }}{{ end -}}
{{- if not (include "registry.dnsNames" $) }}{{ $wrong = append $wrong "certificate.dnsNames: there is no name to certify" }}{{ end -}}
{{- end -}}
{{- end -}}

{{- if $wrong -}}
{{- fail (printf "\n\nThese values cannot be installed:\n- %s\n" (join "\n- " $wrong)) -}}
{{- end -}}
{{- end -}}
